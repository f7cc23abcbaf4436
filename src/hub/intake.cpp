#include "hub/intake.hpp"

#include "hub/endpoints.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::hub {

Intake::Intake(Router& router, QueueStore& store, Random& random, model::Identity own)
    : router_(router), store_(store), own_(std::move(own)), id_prefix_(random.uuid().substr(0, 19)) {}

// The shape of a GUID, from one random half and a counter: no system call per message.
std::string Intake::next_id() {
    const auto count = ++ids_;
    return fmt::format("{}{:04x}-{:012x}", id_prefix_, count >> 48, count & 0xffff'ffff'ffff);
}

Task<Result<>> Intake::accept(const model::Identity& sender, model::Message message) {
    message.set_system_property("connectionDeviceId", sender.device_id());
    if (sender.is_module()) message.set_system_property("connectionModuleId", sender.module_id());
    message.set_system_property("edgeMessageId", next_id());
    message.set_system_property("edgeHubOriginInterface",
                                sender.device_id() == own_.device_id() ? "internal" : "downstream");
    if (message.size() > model::largest_message)
        co_return fail(Errc::malformed, fmt::format("a message of {} bytes with its properties; {} are allowed",
                                                    message.size(), model::largest_message));

    const auto shared = std::make_shared<const model::Message>(std::move(message));
    auto targets = router_.targets(*shared, sender);
    if (targets.empty()) {
        ++unrouted_;
        co_return Result<>{};
    }
    if (upstream_ && std::ranges::any_of(targets, [](const auto& target) { return is_upstream(target.endpoint); }))
        upstream_(sender);
    co_return co_await store_.append(shared, std::move(targets));
}

Task<Result<>> Intake::accept_twin_change(const model::Identity& client, std::string patch, WallTime now) {
    model::Message message;
    message.body = std::move(patch);
    message.set_system_property("enqueuedTime", format_rfc3339(now, 7));
    message.set_system_property("messageSchema", "twinChangeNotification");
    message.set_system_property("messageType", "twinChangeNotification");
    message.set_system_property("rpSenderDeviceId", client.device_id());
    if (client.is_module()) message.set_system_property("rpSenderModuleId", client.module_id());
    co_return co_await accept(own_, std::move(message));
}

}  // namespace skerry::hub
