#include "hub/cloud_to_device.hpp"

#include "base/log.hpp"
#include "hub/metrics/metrics.hpp"

#include <fmt/format.h>

namespace skerry::hub {

namespace {
Session* taker(Sessions& sessions, const model::Identity& device) {
    auto* const session = sessions.find(device);
    return session && session->interests().cloud_to_device ? session : nullptr;
}

bool has_expired(const model::Message& message, WallTime now) {
    const auto text = message.system_property("absolute-expiry-time");
    const auto expires = text ? parse_rfc3339(*text) : std::nullopt;
    return expires && *expires <= now;
}
}  // namespace

Task<Result<>> CloudToDevice::pass_on(Sessions& sessions, model::Identity device, model::Message message) {
    // SDKs read the device's name from it.
    if (!message.system_property("to"))
        message.set_system_property("to", fmt::format("/devices/{}/messages/deviceBound", device.device_id()));
    const auto shared = std::make_shared<const model::Message>(std::move(message));
    auto& counts = metrics_.cloud_to_device(device);
    ++counts.received;
    auto* session = taker(sessions, device);
    while (session && !session->channel().writable()) {
        co_await changed_.wait();
        session = taker(sessions, device);
    }
    if (has_expired(*shared, clock_.wall())) {
        ++counts.expired;
        log::info("A message of the cloud to {} expired before the device took it", device.id());
        co_return Result<>{};
    }
    const auto since = clock_.steady();
    if (!session || !co_await deliver(*session, shared))
        co_return fail(Errc::closed, fmt::format("{} takes no messages of the cloud now", device.id()));
    counts.seconds.observe(std::chrono::duration<double>(clock_.steady() - since).count());
    co_return Result<>{};
}

Task<bool> CloudToDevice::deliver(Session& session, model::SharedMessage message) {
    const auto number = ++last_;
    const auto entry = pending_.emplace(number, Pending{session.identity(), Event(executor_)}).first;
    struct Forget {
        std::map<std::uint64_t, Pending>& pending;
        std::map<std::uint64_t, Pending>::iterator entry;
        ~Forget() { pending.erase(entry); }
    } const forget{pending_, entry};
    session.deliver_to_device(*this, Delivery{Offset{number}, default_priority, std::move(message)}, clock_.steady());
    co_await entry->second.done.wait();
    co_return entry->second.acknowledged;
}

void CloudToDevice::delivered(const Delivery& delivery, SteadyTime) {
    const auto found = pending_.find(static_cast<std::uint64_t>(delivery.at));
    if (found == pending_.end()) return;  // nobody waits any more: the cloud sends it again
    found->second.acknowledged = true;
    found->second.done.set();
}

void CloudToDevice::session_ended(Session& session) {
    for (auto& [number, pending] : pending_)
        if (pending.device == session.identity()) pending.done.set();
    changed_.notify();
}

}  // namespace skerry::hub
