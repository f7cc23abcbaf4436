#include "hub/session.hpp"

#include "base/log.hpp"
#include "hub/intake.hpp"
#include "hub/methods.hpp"
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
      serial_(serial) {}

Session::~Session() {
    if (owner_) owner_->session_gone(*this);
}

Task<Result<>> Session::publish(model::Message message) {
    co_return co_await services_.intake.accept(identity_, std::move(message));
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
    const auto found = in_flight_.find(tag);
    if (found == in_flight_.end()) return;
    const auto done = std::move(found->second);
    in_flight_.erase(found);
    done.owner->delivered(done.delivery);
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

void Session::deliver(DeliveryOwner& owner, std::string_view input, Delivery delivery) {
    const auto tag = ++last_tag_;
    const auto message = delivery.message;
    in_flight_.emplace(tag, InFlight{&owner, std::move(delivery)});
    channel_.deliver_input(input, *message, tag);
}

void Session::forget(const DeliveryOwner& owner) {
    std::erase_if(in_flight_, [&owner](const auto& entry) { return entry.second.owner == &owner; });
}

void Session::end() {
    owner_ = nullptr;
    in_flight_.clear();
    if (interests_.any()) services_.link.set_interests(identity_, {});
}

}  // namespace skerry::hub
