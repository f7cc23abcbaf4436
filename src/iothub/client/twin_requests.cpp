#include "iothub/client/twin_requests.hpp"

#include "model/twin.hpp"

#include <fmt/core.h>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace skerry::iothub {

namespace {
constexpr std::size_t most_open = 16;

Errc code_of(int status) {
    switch (status) {
        case 401:
        case 403: return Errc::unauthorized;
        case 404: return Errc::not_found;
        case 408: return Errc::timeout;
        case 409:
        case 412: return Errc::conflict;
        case 429: return Errc::full;
        default: return status >= 500 && status < 600 ? Errc::unreachable : Errc::malformed;
    }
}

std::string words_of(const std::string& body) {
    constexpr std::size_t longest = 500;
    const auto object = model::parse_object(body);
    if (object)
        if (const auto* message = object->if_contains("message"); message != nullptr && message->is_string())
            return std::string(std::string_view(message->get_string()).substr(0, longest));
    return body.substr(0, longest);
}
}  // namespace

TwinRequests::TwinRequests(Clock& clock, Executor executor, Duration limit, std::uint32_t first_id)
    : clock_(clock), executor_(executor), limit_(limit), next_id_(first_id), emptied_(executor) {}

Result<std::pair<std::string, std::shared_ptr<TwinRequests::Entry>>> TwinRequests::open() {
    if (open_.size() >= most_open)
        return fail(Errc::full, fmt::format("more than {} twin requests at once; wait for one to end", most_open));
    auto id = fmt::format("{:x}", next_id_++);
    auto entry = std::make_shared<Entry>(executor_);
    entry->deadline = clock_.steady() + limit_;
    open_.emplace(id, entry);
    return std::pair(std::move(id), std::move(entry));
}

Task<Result<std::string>> TwinRequests::wait(std::shared_ptr<Entry> entry) {
    co_await entry->done.wait();
    co_return std::move(entry->body);
}

void TwinRequests::answer(std::string_view id, int status, std::string body) {
    const auto at = open_.find(id);
    if (at == open_.end()) return;
    if (status >= 200 && status < 300)
        finish(at, std::move(body));
    else
        finish(at, fail(code_of(status),
                        fmt::format("the hub answered the twin request with {}: {}", status, words_of(body))));
}

void TwinRequests::finish(std::map<std::string, std::shared_ptr<Entry>, std::less<>>::iterator at,
                          Result<std::string> body) {
    at->second->body = std::move(body);
    at->second->done.set();
    open_.erase(at);
    if (open_.empty()) emptied_.notify();
}

void TwinRequests::expire() {
    const auto now = clock_.steady();
    for (auto at = open_.begin(); at != open_.end();) {
        const auto current = at++;
        if (current->second->deadline <= now)
            finish(current, fail(Errc::timeout, "the hub did not answer a twin request"));
    }
}

void TwinRequests::fail_all(const Error& why) {
    while (!open_.empty()) finish(open_.begin(), fail(why));
}

Task<> TwinRequests::idle() {
    while (!open_.empty()) co_await emptied_.wait();
}

}  // namespace skerry::iothub
