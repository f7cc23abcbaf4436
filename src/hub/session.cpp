#include "hub/session.hpp"

#include "base/log.hpp"
#include "hub/methods.hpp"
#include "hub/metrics/metrics.hpp"
#include "hub/sessions.hpp"
#include "hub/twins.hpp"

#include <boost/json/serialize.hpp>

namespace skerry::hub {

Session::Session(Sessions& owner, SessionServices services, model::Identity identity, Admission admission,
                 Channel& channel, std::uint64_t serial)
    : owner_(&owner),
      services_(services),
      identity_(std::move(identity)),
      admission_(std::move(admission)),
      channel_(channel),
      received_(services.metrics.received_from(identity_)),
      serial_(serial) {}

Session::~Session() {
    if (owner_) owner_->session_gone(*this);
}

Task<Result<>> Session::publish(model::Message message) {
    auto stamped = stamp(std::move(message));
    if (!stamped) co_return fail(stamped.error());
    co_return co_await accept(std::move(*stamped));
}

Result<model::SharedMessage> Session::stamp(model::Message message) {
    auto stamped = services_.intake.stamp(identity_, std::move(message));
    if (stamped) received_.received(**stamped);
    return stamped;
}

Result<Intake::Submission> Session::submit(const model::SharedMessage& stamped, std::shared_ptr<StoreWaiter> waiter,
                                           std::uint64_t ticket) {
    return services_.intake.submit(identity_, stamped, std::move(waiter), ticket);
}

Task<Result<>> Session::accept(model::SharedMessage stamped) {
    return services_.intake.accept(identity_, std::move(stamped));
}

Task<Result<boost::json::object>> Session::get_twin() { co_return co_await services_.twins.get(identity_); }

Task<Result<>> Session::report(boost::json::object patch) {
    auto text = boost::json::serialize(patch);
    auto kept = co_await services_.twins.report(identity_, std::move(patch));
    if (!kept) co_return fail(kept.error());
    co_return co_await services_.intake.accept_twin_change(identity_, std::move(text), services_.twins.now());
}

void Session::answer_method(std::string_view call_id, iothub::MethodResponse response) {
    services_.methods.answered(identity_, call_id, std::move(response));
}

void Session::delivered(DeliveryTag tag) {
    if (const auto done = in_flight_.take(tag)) done->owner->delivered(done->delivery, done->since);
}

void Session::set_interests(CloudInterests interests) {
    if (interests == interests_) return;
    interests_ = interests;
    if (owner_) services_.link.set_interests(identity_, interests);
    changed();
}

void Session::changed() {
    if (owner_) owner_->session_changed(*this);
}

void Session::not_stored(const Error& error) {
    if (error.code != Errc::malformed) received_.not_stored();
}

void Session::deliver(DeliveryOwner& owner, std::string_view input, Delivery delivery, SteadyTime since) {
    const auto message = delivery.message;
    const auto tag = in_flight_.put(InFlight{&owner, std::move(delivery), since});
    channel_.deliver_input(input, *message, tag);
}

void Session::deliver_to_device(DeliveryOwner& owner, Delivery delivery, SteadyTime since) {
    const auto message = delivery.message;
    const auto tag = in_flight_.put(InFlight{&owner, std::move(delivery), since});
    channel_.deliver_to_device(*message, tag);
}

void Session::forget(const DeliveryOwner& owner) {
    in_flight_.erase_if([&owner](const InFlight& entry) { return entry.owner == &owner; });
}

void Session::end() {
    owner_ = nullptr;
    in_flight_ = {};
    if (interests_.any()) services_.link.set_interests(identity_, {});
}

}  // namespace skerry::hub
