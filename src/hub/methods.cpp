#include "hub/methods.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "hub/metrics/metrics.hpp"
#include "hub/waiting.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::hub {

namespace {
constexpr std::size_t most_calls = 1'000;
constexpr std::size_t most_calls_per_client = 64;

Session* listener(Sessions& sessions, const model::Identity& target) {
    auto* const session = sessions.find(target);
    return session && session->interests().methods ? session : nullptr;
}
Error too_many(const model::Identity& target) {
    return {Errc::full, fmt::format("too many method calls are waiting for {}", target.id())};
}
}  // namespace

Methods::Methods(Metrics& metrics, Clock& clock, Random& random, Executor executor)
    : metrics_(metrics), clock_(clock), random_(random), executor_(executor), listeners_changed_(executor) {}

Task<Result<>> Methods::wait_for_listener(Sessions& sessions, model::Identity target) {
    struct Count {
        std::size_t& waiting;
        explicit Count(std::size_t& count) : waiting(count) { ++waiting; }
        ~Count() { --waiting; }
    } const count(waiting_);
    while (!listener(sessions, target)) co_await listeners_changed_.wait();
    co_return Result<>{};
}

bool Methods::has_room(const model::Identity& target) const {
    const auto to_same = [&target](const auto& entry) { return entry.second.target == target; };
    return calls_.size() + waiting_ < most_calls &&
           std::ranges::count_if(calls_, to_same) < std::ptrdiff_t{most_calls_per_client};
}

Task<Result<iothub::MethodResponse>> Methods::invoke(Sessions& sessions, std::string from, model::Identity target,
                                                     iothub::MethodRequest request, MethodLimits limits) {
    if (!has_room(target)) co_return fail(too_many(target));
    if (!listener(sessions, target) && limits.connect > Duration(0))
        (void)co_await with_timeout<void>(clock_, limits.connect, wait_for_listener(sessions, target));
    auto* const session = listener(sessions, target);
    if (!session) co_return fail(Errc::not_found, fmt::format("Client {} not found", target.id()));
    // Others may have waited for the same client.
    if (!has_room(target)) co_return fail(too_many(target));

    const auto id = random_.uuid();
    const auto call = calls_.emplace(id, Call{target, Event(executor_), std::nullopt}).first;
    struct Forget {
        std::map<std::string, Call, std::less<>>& calls;
        std::map<std::string, Call, std::less<>>::iterator call;
        ~Forget() { calls.erase(call); }
    } const forget{calls_, call};

    const auto since = clock_.steady();
    session->channel().call_method(id, request);
    const bool in_time = co_await wait_at_most(clock_, limits.response, call->second.done);
    metrics_.method_called(from, target, clock_.steady() - since);
    if (call->second.response) co_return std::move(*call->second.response);
    if (in_time) co_return fail(Errc::timeout, fmt::format("{} went away before it answered", target.id()));
    co_return fail(Errc::timeout, fmt::format("Timed out waiting for device to respond to method request {}", id));
}

void Methods::answered(const model::Identity& by, std::string_view call_id, iothub::MethodResponse response) {
    const auto found = calls_.find(to_lower(call_id));
    if (found == calls_.end() || found->second.target != by) {
        log::info("A method response of {} belongs to no call that is waiting; it may have come too late", by.id());
        return;
    }
    found->second.response = std::move(response);
    found->second.done.set();
}

void Methods::session_changed(Session&) { listeners_changed_.notify(); }

void Methods::session_ended(Session& session) {
    for (auto& [id, call] : calls_)
        if (call.target == session.identity()) call.done.set();
}

}  // namespace skerry::hub
