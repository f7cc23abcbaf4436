// What goes over one connection of a client: packets in, packets out, and the watch over answers that don't come.
#include "base/log.hpp"
#include "iothub/client/core.hpp"
#include "model/twin.hpp"

#include <fmt/core.h>
#include <boost/json/value.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <memory>
#include <utility>

namespace skerry::iothub {

using namespace std::chrono_literals;
namespace mqtt = codec::mqtt;

namespace {
constexpr std::size_t most_methods = 16;
constexpr std::size_t read_at_once = 16 * 1024;
constexpr std::size_t kept_capacity = 64 * 1024;

template <class... Ts>
struct Overloaded : Ts... {
    using Ts::operator()...;
};

Task<Result<>> run_desired(std::shared_ptr<const DeviceClientHandlers> handlers, boost::json::object patch) {
    co_await handlers->on_desired(std::move(patch));
    co_return Result<>{};
}
}  // namespace

Task<Result<>> ClientCore::send(std::shared_ptr<ClientCore> self, model::SharedMessage message) {
    if (const auto size = message->size(); size > model::largest_message)
        co_return fail(Errc::malformed,
                       fmt::format("the message has {} bytes; a hub accepts at most {}", size, model::largest_message));
    auto topic = telemetry_topic(self->options_.identity, *message);
    if (topic.size() > mqtt::longest_string)
        co_return fail(Errc::malformed,
                       fmt::format("the message's properties take {} bytes in an MQTT topic; at most {} fit",
                                   topic.size(), mqtt::longest_string));
    if (!self->connected())
        co_return fail(self->closing_ ? Errc::closed : Errc::unreachable, "not connected to the hub");
    auto entry = self->outbox_.add(std::move(topic), std::move(message));
    self->pump();
    co_return co_await Outbox::wait(std::move(entry));
}

Task<Result<std::string>> ClientCore::ask_twin(std::shared_ptr<ClientCore> self,
                                               std::string (*topic)(std::string_view id), std::string body) {
    while (self->holding_) co_await self->changed_.wait();
    if (!self->up_) co_return fail(self->closing_ ? Errc::closed : Errc::unreachable, "not connected to the hub");
    auto request = self->twin_requests_.open();
    if (!request) co_return fail(request.error());
    mqtt::encode_publish(topic(request->first), body, mqtt::QoS::at_most_once, false, false, 0, self->link_->out);
    self->link_->out_ready.notify();
    co_return co_await TwinRequests::wait(std::move(request->second));
}

void ClientCore::pump() {
    if (!link_ || !up_ || holding_) return;
    const auto before = link_->out.size();
    outbox_.fill(link_->out);
    if (link_->out.size() != before) link_->out_ready.notify();
}

Task<> ClientCore::write_packets(std::shared_ptr<ClientCore> self, std::shared_ptr<Link> link) {
    std::string batch;
    while (!link->ended.is_set()) {
        if (link->out.empty()) {
            if (batch.capacity() > kept_capacity) std::string().swap(batch);
            if (link->out.capacity() > kept_capacity) std::string().swap(link->out);
            co_await link->out_ready.wait();
            continue;
        }
        batch.clear();
        batch.swap(link->out);
        self->pump();
        link->writing = true;
        const auto written = co_await link->stream->write(batch);
        link->writing = false;
        link->last_written = self->clock_.steady();
        if (!written) link->end(written.error().while_doing("writing to the hub"));
        link->written.notify();
    }
}

Task<> ClientCore::read_packets(std::shared_ptr<ClientCore> self, std::shared_ptr<Link> link) {
    for (;;) {
        if (const auto taken = self->take_packets(link); !taken) co_return link->end(taken.error());
        self->pump();
        if (const auto ready = co_await link->stream->wait_readable(); !ready)
            co_return link->end(ready.error().while_doing("reading from the hub"));
        // Only a connection with something to read has a buffer.
        const auto buffer = std::make_unique_for_overwrite<char[]>(read_at_once);
        const auto count = co_await link->stream->read_some({buffer.get(), read_at_once});
        if (!count) co_return link->end(count.error().while_doing("reading from the hub"));
        if (*count == 0) co_return link->end({Errc::closed, "the hub closed the connection"});
        link->last_read = self->clock_.steady();
        link->ping_open = false;
        link->decoder.feed({buffer.get(), *count});
    }
}

Result<> ClientCore::take_packets(const std::shared_ptr<Link>& link) {
    while (!link->ended.is_set()) {
        auto packet = link->decoder.next();
        if (!packet) return fail(packet.error().while_doing("reading a packet of the hub"));
        if (!*packet) return {};
        if (auto taken = take(link, std::move(**packet)); !taken) return taken;
    }
    return {};
}

Result<> ClientCore::take(const std::shared_ptr<Link>& link, mqtt::Packet packet) {
    return std::visit(Overloaded{
                          [&](mqtt::Publish& publish) { return take_publish(link, std::move(publish)); },
                          [&](const mqtt::Puback& puback) {
                              outbox_.acknowledge(puback.id);
                              return Result<>{};
                          },
                          [&](const mqtt::Suback& suback) { return take_suback(*link, suback); },
                          [&](const mqtt::Unsuback& unsuback) { return subscription_changed(*link, unsuback.id); },
                          [](const mqtt::Pingresp&) { return Result<>{}; },
                          [](const auto&) -> Result<> {
                              return fail(Errc::malformed, "the hub sent a packet that a client must not get");
                          },
                      },
                      packet);
}

Result<> ClientCore::subscription_changed(Link& link, mqtt::PacketId id) {
    if (!link.changing || id != subscribe_packet(false).id)
        return fail(Errc::malformed, "the hub acknowledged a subscription that was not changed");
    link.changing = false;
    change_subscription(link);
    return {};
}

Result<> ClientCore::take_suback(Link& link, const mqtt::Suback& suback) {
    if (link.changing) {
        if (suback.codes.size() != 1 || suback.codes.front() > 2)
            log::warn("{}: the hub refused the subscription to its messages", options_.identity.id());
        return subscription_changed(link, suback.id);
    }
    const auto asked = subscribe_packet(link.commands);
    if (link.subscribed || suback.id != asked.id || suback.codes.size() != asked.filters.size())
        return fail(Errc::malformed, "the hub sent a SUBACK that fits no SUBSCRIBE");
    for (std::size_t at = 0; at < suback.codes.size(); ++at)
        if (suback.codes[at] > 2)
            return fail(Errc::unauthorized,
                        fmt::format("the hub refused the subscription '{}'", asked.filters[at].filter));
    link.subscribed = true;
    become_up();
    change_subscription(link);
    return {};
}

Result<> ClientCore::take_publish(const std::shared_ptr<Link>& link, mqtt::Publish publish) {
    if (publish.qos == mqtt::QoS::exactly_once) return fail(Errc::malformed, "the hub sent a message with QoS 2");
    auto topic = parse_hub_topic(publish.topic);
    if (!topic) {
        // It will not get better when it comes again.
        log::warn("{}: a message of the hub on the topic '{}' is left out: {}", options_.identity.id(), publish.topic,
                  topic.error().text);
        if (publish.id != 0) link->put(mqtt::Puback{publish.id});
        return {};
    }
    const auto message_of = [&publish](PropertyBag& bag) {
        return model::Message{std::move(publish.payload), std::move(bag.application), std::move(bag.system)};
    };
    if (auto* input = std::get_if<InputTopic>(&*topic)) {
        auto message = message_of(input->properties);
        message.set_system_property("inputName", input->input);
        return take_message(link, "input " + input->input, std::move(message), publish.id);
    }
    if (auto* command = std::get_if<CloudToDeviceTopic>(&*topic))
        return take_message(link, "commands", message_of(command->properties), publish.id);
    if (std::holds_alternative<DesiredPatchTopic>(*topic)) return take_desired(link, std::move(publish));
    // The rest has an id of its own instead of redelivery.
    if (publish.id != 0) link->put(mqtt::Puback{publish.id});
    if (const auto* answer = std::get_if<TwinResponseTopic>(&*topic))
        twin_requests_.answer(answer->request_id, answer->status, std::move(publish.payload));
    if (auto* method = std::get_if<MethodRequestTopic>(&*topic))
        take_method(std::move(*method), std::move(publish.payload));
    return {};
}

Result<> ClientCore::take_message(const std::shared_ptr<Link>& link, std::string lane, model::Message message,
                                  mqtt::PacketId id) {
    const bool is_command = lane == "commands";
    if (is_command ? handlers_->on_cloud_to_device == nullptr : handlers_->on_input == nullptr) {
        log::warn("{}: a message that nobody subscribed to is left out ({})", options_.identity.id(), lane);
        if (id != 0) link->put(mqtt::Puback{id});
        return {};
    }
    // A session that outlived its connection may push them before it is told otherwise: the hub keeps them.
    if (is_command && !commands_wanted_) {
        link->left_out = true;
        return {};
    }
    const auto bytes = message.size();
    auto input = is_command ? std::string() : lane.substr(std::string_view("input ").size());
    auto work = [handlers = handlers_, is_command, input = std::move(input), message = std::move(message)]() mutable {
        return is_command ? handlers->on_cloud_to_device(std::move(message))
                          : handlers->on_input(std::move(input), std::move(message));
    };
    return inbox_->push(std::move(lane), {std::move(work), bytes, link, id, is_command});
}

Result<> ClientCore::take_desired(const std::shared_ptr<Link>& link, mqtt::Publish publish) {
    auto patch = model::parse_object(publish.payload);
    if (!patch || !handlers_->on_desired) {
        if (!patch)
            log::warn("{}: a desired patch of the hub is left out: {}", options_.identity.id(), patch.error().text);
        if (publish.id != 0) link->put(mqtt::Puback{publish.id});
        return {};
    }
    auto work = [handlers = handlers_, patch = std::move(*patch)]() mutable {
        return run_desired(std::move(handlers), std::move(patch));
    };
    return inbox_->push("desired", {std::move(work), publish.payload.size(), link, publish.id});
}

void ClientCore::take_method(MethodRequestTopic topic, std::string payload) {
    if (!handlers_->on_method) return send_method_response(topic.request_id, {501, R"({"message":"no methods here"})"});
    if (running_methods_ >= most_methods)
        return send_method_response(topic.request_id, {429, R"({"message":"too many methods at once"})"});
    ++running_methods_;
    tasks_.spawn("method " + topic.method, answer_method(shared_from_this(), std::move(topic.request_id),
                                                         {std::move(topic.method), std::move(payload)}));
}

Task<> ClientCore::answer_method(std::shared_ptr<ClientCore> self, std::string id, MethodRequest request) {
    struct Done {
        ClientCore& core;
        ~Done() { --core.running_methods_; }
    } done{*self};
    MethodResponse response;
    try {
        response = co_await self->handlers_->on_method(std::move(request));
    } catch (const std::exception& thrown) {
        if (self->closing_) throw;
        log::error("{}: the handler of a method threw: {}", self->options_.identity.id(), thrown.what());
        response = {500, R"({"message":"the method's handler failed"})"};
    }
    self->send_method_response(id, response);
}

// On whatever connection is there now: the id belongs to the hub's caller, not to the connection.
void ClientCore::send_method_response(const std::string& id, const MethodResponse& response) {
    if (!link_) return;
    mqtt::encode_publish(method_response_topic(response.status, id), response.payload, mqtt::QoS::at_most_once, false,
                         false, 0, link_->out);
    link_->out_ready.notify();
}

Task<> ClientCore::keep_alive(std::shared_ptr<ClientCore> self, std::shared_ptr<Link> link) {
    const auto limit = self->options_.request_limit;
    const Duration interval = std::chrono::seconds(self->options_.keep_alive_seconds);
    const auto tick = std::max<Duration>(interval > 0s ? std::min<Duration>(limit, interval) / 4 : limit / 4, 1ms);
    while (!link->ended.is_set()) {
        co_await self->clock_.sleep(tick);
        const auto now = self->clock_.steady();
        self->twin_requests_.expire();
        if (!link->subscribed && now - link->opened > limit)
            link->end({Errc::timeout, "the hub did not answer SUBSCRIBE"});
        if (const auto oldest = self->outbox_.oldest(); oldest && now - *oldest > limit)
            link->end({Errc::timeout, "the hub did not acknowledge a message in time"});
        if (link->ping_open && now - link->pinged > limit) link->end({Errc::timeout, "the hub did not answer a ping"});
        const auto quiet = now - std::min(link->last_written, link->last_read);
        if (interval > 0s && !link->ping_open && quiet >= interval / 2) {
            link->put(mqtt::Pingreq{});
            link->pinged = now;
            link->ping_open = true;
        }
    }
}

}  // namespace skerry::iothub
