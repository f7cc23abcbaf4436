// The packets of an admitted client.
#include "hub/mqtt/connection.hpp"

#include "base/log.hpp"
#include "model/twin.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

namespace skerry::hub::mqtt {

namespace wire = codec::mqtt;

bool Connection::violation(std::string_view what) {
    end(End::lost, what);
    return false;
}

Task<bool> Connection::handle(wire::Packet packet) {
    if (std::holds_alternative<wire::Pingreq>(packet)) {
        outbox_.put(wire::Pingresp{});
        co_return true;
    }
    if (auto* const subscribe = std::get_if<wire::Subscribe>(&packet))
        co_return co_await handle_subscribe(std::move(*subscribe));
    if (auto* const unsubscribe = std::get_if<wire::Unsubscribe>(&packet))
        co_return co_await handle_unsubscribe(std::move(*unsubscribe));
    if (std::holds_alternative<wire::Disconnect>(packet)) {
        end(End::by_client, "the client disconnected");
        co_return false;
    }
    if (std::holds_alternative<wire::Connect>(packet)) co_return violation("a second CONNECT on one connection");
    co_return violation("a packet that clients of this hub don't send (QoS 2, or a server's packet)");
}

// --- subscriptions

Task<bool> Connection::handle_subscribe(wire::Subscribe subscribe) {
    wire::Suback answer{.id = subscribe.id, .codes = {}};
    for (const auto& wanted : subscribe.filters) {
        answer.codes.push_back(subscriptions_.add(wanted.filter, wanted.qos));
        if (iothub::classify_filter(wanted.filter) == iothub::Subscription::unknown)
            log::info("{} subscribes to '{}', where this hub sends nothing special", name_, wanted.filter);
    }
    if (!co_await subscriptions_changed()) co_return false;
    outbox_.put(answer);
    // Only now: what is delivered must come after SUBACK.
    session_->changed();
    session_->set_interests(subscriptions_.interests(session_->identity()));
    co_return true;
}

Task<bool> Connection::handle_unsubscribe(wire::Unsubscribe unsubscribe) {
    for (const auto& filter : unsubscribe.filters) subscriptions_.remove(filter);
    if (!co_await subscriptions_changed()) co_return false;
    outbox_.put(wire::Unsuback{.id = unsubscribe.id});
    session_->changed();
    session_->set_interests(subscriptions_.interests(session_->identity()));
    co_return true;
}

// A persistent session's subscriptions are on disk before they are acknowledged.
Task<bool> Connection::subscriptions_changed() {
    inputs_.clear();
    if (!persistent_) co_return true;
    const auto saved =
        co_await services_.state.save(StateKind::subscriptions, session_->identity().id(), subscriptions_.to_text());
    if (!saved) co_return violation(saved.error().while_doing("storing its subscriptions").text);
    co_return ended_ == End::none;
}

// --- publishes

bool Connection::handle_publish(wire::Publish publish) {
    if (publish.qos == wire::QoS::exactly_once) return violation("a PUBLISH of QoS 2; this hub takes QoS 0 and 1");
    const auto refused = [&](const Error& error) {
        return violation(fmt::format("a PUBLISH to '{}': {}", publish.topic, error.text));
    };
    Result<iothub::PropertyBag> properties;
    if (publish.topic.starts_with(events_prefix_)) {
        const auto rest = std::string_view(publish.topic).substr(events_prefix_.size());
        properties = iothub::parse_bag_segment(rest, iothub::Direction::to_hub);
        if (!properties) return refused(properties.error());
    } else {
        auto topic = iothub::parse_client_topic(publish.topic);
        if (!topic) return refused(topic.error());
        auto* const events = std::get_if<iothub::TelemetryTopic>(&*topic);
        if (!events) return handle_request(std::move(*topic), std::move(publish));
        properties = own_properties(std::move(*events));
        if (!properties) return violation(properties.error().text);
    }
    const auto size = publish.payload.size();
    auto message = telemetry(std::move(*properties), std::move(publish.payload), publish.retain, publish.dup);
    return this->publish(std::move(message), publish.id, size);
}

bool Connection::handle_request(iothub::ClientTopic topic, wire::Publish publish) {
    // It is acknowledged once it is read; its answer is a message of its own.
    acknowledge(expect_ack(publish.id, 0));
    if (auto* const get = std::get_if<iothub::TwinGetTopic>(&topic)) {
        ++requests_running_;
        requests_.spawn("twin get", answer_twin_get(shared_from_this(), std::move(get->request_id)));
    } else if (auto* const report = std::get_if<iothub::TwinReportTopic>(&topic)) {
        ++requests_running_;
        requests_.spawn("twin report",
                        answer_report(shared_from_this(), std::move(report->request_id), std::move(publish.payload)));
    } else if (const auto* const response = std::get_if<iothub::MethodResponseTopic>(&topic)) {
        session_->answer_method(response->request_id, {response->status, std::move(publish.payload)});
    }
    return true;
}

Result<iothub::PropertyBag> Connection::own_properties(iothub::TelemetryTopic topic) const {
    if (topic.identity == session_->identity()) return std::move(topic.properties);
    return fail(Errc::unauthorized,
                fmt::format("a PUBLISH as '{}'; a client may publish only as itself", topic.identity.id()));
}

model::Message Connection::telemetry(iothub::PropertyBag properties, std::string payload, bool retain, bool dup) {
    model::Message message;
    message.body = std::move(payload);
    message.properties = std::move(properties.application);
    message.system = std::move(properties.system);
    if (retain) message.properties.emplace_back("mqtt-retain", "true");
    if (dup) message.properties.emplace_back("mqtt-dup", "true");
    return message;
}

std::uint64_t Connection::expect_ack(wire::PacketId id, std::size_t size) {
    expected_bytes_ += size;
    expected_.push_back({id, size});
    return first_expected_ + expected_.size() - 1;
}

void Connection::acknowledge(std::uint64_t sequence) {
    constexpr std::size_t worth_moving = 64;
    expected_[sequence - first_expected_].done = true;
    const auto before = acknowledged_;
    for (; acknowledged_ < expected_.size() && expected_[acknowledged_].done; ++acknowledged_) {
        const auto& next = expected_[acknowledged_];
        if (next.id != 0) outbox_.put_ack(next.id);
        expected_bytes_ -= next.size;
    }
    if (acknowledged_ == before) return;
    if (acknowledged_ == expected_.size() || acknowledged_ >= worth_moving) {
        expected_.erase(expected_.begin(), expected_.begin() + static_cast<std::ptrdiff_t>(acknowledged_));
        first_expected_ += std::exchange(acknowledged_, 0);
    }
    if (!progress_.is_set()) progress_.set();
}

bool Connection::publish(model::Message message, wire::PacketId id, std::size_t size) {
    auto stamped = session_->stamp(std::move(message));
    if (!stamped) return not_stored(stamped.error());
    const auto sequence = expect_ack(id, size);
    if (accepts_running_ == 0) {
        const auto submitted = session_->submit(*stamped, shared_from_this(), sequence);
        if (!submitted) return not_stored(submitted.error());
        if (*submitted == Intake::Submission::done) acknowledge(sequence);
        if (*submitted != Intake::Submission::no_room) return true;
    }
    ++accepts_running_;
    accepting_.spawn("publish", accept(shared_from_this(), std::move(*stamped), sequence));
    return true;
}

void Connection::stored(std::uint64_t ticket, const Result<>& outcome) {
    if (ended_ != End::none) return;
    if (outcome)
        acknowledge(ticket);
    else
        (void)not_stored(outcome.error());
}

// No PUBACK: the client sends it again.
bool Connection::not_stored(const Error& error) {
    session_->not_stored(error);
    end(End::by_hub, error.while_doing("a message could not be stored").text);
    return false;
}

Task<> Connection::accept(Self self, model::SharedMessage message, std::uint64_t sequence) {
    const auto stored = co_await self->session_->accept(std::move(message));
    --self->accepts_running_;
    self->stored(sequence, stored);
}

// --- twins

namespace {
std::string error_body(int status, std::string_view text, WallTime now) {
    boost::json::object body;
    body["errorCode"] = status * 1000;
    body["trackingId"] = "";
    body["message"] = text;
    body["timestampUtc"] = format_rfc3339(now, 7);
    return boost::json::serialize(body);
}

int status_of(const Error& error) { return error.code == Errc::malformed ? 400 : 500; }
}  // namespace

void Connection::request_done() {
    --requests_running_;
    progress_.set();
}

Task<> Connection::answer_twin_get(Self self, std::string request_id) {
    const auto twin = co_await self->session_->get_twin();
    self->request_done();
    if (twin) {
        self->push(iothub::twin_response_topic(200, request_id), boost::json::serialize(*twin));
        co_return;
    }
    const auto status = status_of(twin.error());
    self->push(iothub::twin_response_topic(status, request_id),
               error_body(status, twin.error().text, self->services_.clock.wall()));
}

Task<> Connection::answer_report(Self self, std::string request_id, std::string payload) {
    auto patch = model::parse_object(payload);
    const auto kept = patch ? co_await self->session_->report(std::move(*patch)) : Result<>(fail(patch.error()));
    self->request_done();
    if (!kept) log::info("Reported properties of {} are refused: {}", self->name_, kept.error().text);
    if (request_id.empty()) co_return;
    if (kept) {
        self->push(iothub::twin_response_topic(204, request_id), "");
        co_return;
    }
    const auto status = status_of(kept.error());
    self->push(iothub::twin_response_topic(status, request_id),
               error_body(status, kept.error().text, self->services_.clock.wall()));
}

}  // namespace skerry::hub::mqtt
