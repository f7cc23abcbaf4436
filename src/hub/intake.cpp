#include "hub/intake.hpp"

#include "hub/endpoints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace skerry::hub {

Intake::Intake(Router& router, QueueStore& store, Random& random, model::Identity own)
    : router_(router), store_(store), own_(std::move(own)), id_prefix_(random.uuid().substr(0, 19)) {}

namespace {
// Without a system call, or a format to parse, per message.
class MessageId {
public:
    MessageId(std::string_view prefix, std::uint64_t count) {
        auto* const end = std::ranges::copy(prefix, text_.begin()).out;
        auto digits = text_.end();
        for (; digits != end; count >>= 4) {
            if (--digits == text_.begin() + second_dash) *digits-- = '-';
            *digits = "0123456789abcdef"[count & 15];
        }
    }
    [[nodiscard]] std::string_view text() const { return {text_.data(), text_.size()}; }

private:
    static constexpr std::ptrdiff_t second_dash = 23;
    std::array<char, 36> text_;
};
}  // namespace

Result<model::SharedMessage> Intake::stamp(const model::Identity& sender, model::Message message) {
    constexpr std::size_t most_added = 256;  // but for long ids: room for all at once
    message.system.reserve(message.system.size() + 4, message.system.bytes() + most_added);
    message.set_system_property("connectionDeviceId", sender.device_id());
    if (sender.is_module()) message.set_system_property("connectionModuleId", sender.module_id());
    message.set_system_property("edgeMessageId", MessageId(id_prefix_, ++ids_).text());
    message.set_system_property("edgeHubOriginInterface",
                                sender.device_id() == own_.device_id() ? "internal" : "downstream");
    if (message.size() > model::largest_message)
        return fail(Errc::malformed, fmt::format("a message of {} bytes with its properties; {} are allowed",
                                                 message.size(), model::largest_message));
    return std::make_shared<const model::Message>(std::move(message));
}

std::vector<QueueTarget> Intake::route(const model::Identity& sender, const model::Message& message) {
    auto targets = router_.targets(message, sender);
    if (targets.empty()) {
        ++unrouted_;
        if (unrouted_told_) unrouted_told_(sender, message);
    }
    if (upstream_ && std::ranges::any_of(targets, [](const auto& target) { return is_upstream(target.endpoint); }))
        upstream_(sender);
    return targets;
}

Task<Result<>> Intake::accept(model::Identity sender, model::SharedMessage stamped) {
    auto targets = route(sender, *stamped);
    if (targets.empty()) co_return Result<>{};
    co_return co_await store_.append(std::move(stamped), std::move(targets));
}

Result<Intake::Submission> Intake::submit(const model::Identity& sender, const model::SharedMessage& stamped,
                                          std::shared_ptr<StoreWaiter> waiter, std::uint64_t ticket) {
    if (!store_.has_room()) return Submission::no_room;
    const auto targets = route(sender, *stamped);
    if (targets.empty()) return Submission::done;
    if (auto submitted = store_.submit(stamped, targets, std::move(waiter), ticket); !submitted)
        return fail(submitted.error());
    return Submission::waiting;
}

Task<Result<>> Intake::accept_twin_change(const model::Identity& client, std::string patch, WallTime now) {
    model::Message message;
    message.body = std::move(patch);
    message.set_system_property("enqueuedTime", format_rfc3339(now, 7));
    message.set_system_property("messageSchema", "twinChangeNotification");
    message.set_system_property("messageType", "twinChangeNotification");
    message.set_system_property("rpSenderDeviceId", client.device_id());
    if (client.is_module()) message.set_system_property("rpSenderModuleId", client.module_id());
    auto stamped = stamp(own_, std::move(message));
    if (!stamped) co_return fail(stamped.error());
    co_return co_await accept(own_, std::move(*stamped));
}

}  // namespace skerry::hub
