#include "cloud/connections.hpp"

#include "base/timeout.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::cloud {

namespace {
constexpr std::size_t most_pending_calls = 1000;

Task<Result<>> wait_done(Event& done) {
    co_await done.wait();
    co_return Result<>{};
}
}  // namespace

Connections::Connections(Clock& clock, Random& random, Executor executor)
    : clock_(clock), random_(random), executor_(executor), changed_(std::move(executor)) {}

void Connections::attach(const model::Identity& identity, std::shared_ptr<Connection> connection) {
    auto& entry = entries_[identity];
    const auto older = std::exchange(entry.connection, std::move(connection));
    entry.presence = {.connected = true, .changed = clock_.wall(), .last_activity = clock_.wall()};
    if (older) older->drop("a new connection for the same identity took over");
}

void Connections::detach(const model::Identity& identity, const Connection& connection) {
    const auto found = entries_.find(identity);
    if (found == entries_.end() || found->second.connection.get() != &connection) return;
    found->second.connection.reset();
    found->second.presence.connected = false;
    found->second.presence.changed = clock_.wall();
}

void Connections::was_active(const model::Identity& identity) {
    if (const auto found = entries_.find(identity); found != entries_.end())
        found->second.presence.last_activity = clock_.wall();
}

Presence Connections::presence(const model::Identity& identity) const {
    const auto found = entries_.find(identity);
    return found == entries_.end() ? Presence{} : found->second.presence;
}

std::size_t Connections::connected_devices() const {
    return static_cast<std::size_t>(std::ranges::count_if(
        entries_, [](const auto& entry) { return entry.second.connection != nullptr && !entry.first.is_module(); }));
}

void Connections::push(const DesiredUpdate& update) {
    const auto found = entries_.find(update.identity);
    if (found != entries_.end() && found->second.connection) found->second.connection->update_desired(update);
}

void Connections::commands_wait(const model::Identity& device) {
    const auto found = entries_.find(device);
    if (found != entries_.end() && found->second.connection) found->second.connection->look_for_commands();
}

void Connections::drop(const model::Identity& identity, std::string_view why) {
    const auto found = entries_.find(identity);
    if (found != entries_.end() && found->second.connection) found->second.connection->drop(why);
}

void Connections::drop_device(const std::string& device_id, std::string_view why) {
    for (const auto& [identity, entry] : entries_)
        if (identity.device_id() == device_id && entry.connection) entry.connection->drop(why);
}

void Connections::forget(const model::Identity& identity) {
    std::erase_if(entries_, [&](const auto& entry) {
        const auto& known = entry.first;
        const bool same = identity.is_module() ? known == identity : known.device_id() == identity.device_id();
        if (same && entry.second.connection) entry.second.connection->drop("the identity was deleted");
        return same;
    });
}

std::shared_ptr<Connection> Connections::method_taker(const model::Identity& identity) const {
    const auto found = entries_.find(identity);
    if (found == entries_.end() || !found->second.connection || !found->second.connection->takes_methods()) return {};
    return found->second.connection;
}

Task<Result<std::shared_ptr<Connection>>> Connections::wait_for_method_taker(model::Identity identity) {
    for (;;) {
        if (auto connection = method_taker(identity)) co_return connection;
        co_await changed_.wait();
    }
}

Task<Outcome<MethodAnswer>> Connections::invoke(model::Identity identity, MethodCall call) {
    if (pending_.size() >= most_pending_calls)
        co_return refuse(HubCode::throttling, fmt::format("{} method calls are under way", most_pending_calls));
    auto connection = method_taker(identity);
    if (!connection && call.connect_limit > Duration::zero()) {
        auto came = co_await with_timeout(clock_, call.connect_limit, wait_for_method_taker(identity));
        if (came) connection = std::move(*came);
    }
    if (!connection)
        co_return refuse(HubCode::device_not_online,
                         fmt::format("'{}' is not connected, or takes no methods; waited "
                                     "{} s for it",
                                     identity.id(), call.connect_limit / std::chrono::seconds(1)));

    const auto request_id = fmt::format("{:x}", random_.next());
    const auto pending = std::make_shared<Pending>(identity, executor_);
    struct Registered {
        std::map<std::string, std::shared_ptr<Pending>, std::less<>>& all;
        const std::string& id;
        ~Registered() { all.erase(id); }
    } registered{pending_, request_id};
    pending_.emplace(request_id, pending);
    connection->invoke(call.name, call.payload, request_id);
    connection.reset();

    const auto answered = co_await with_timeout(clock_, call.response_limit, wait_done(pending->done));
    if (!answered)
        co_return refuse(HubCode::gateway_timeout,
                         fmt::format("'{}' did not answer '{}' within {} s", identity.id(), call.name,
                                     call.response_limit / std::chrono::seconds(1)));
    co_return std::move(*pending->answer);
}

bool Connections::answer(const model::Identity& identity, std::string_view request_id, MethodAnswer answer) {
    const auto found = pending_.find(request_id);
    if (found == pending_.end() || found->second->identity != identity || found->second->answer) return false;
    found->second->answer = std::move(answer);
    found->second->done.set();
    return true;
}

}  // namespace skerry::cloud
