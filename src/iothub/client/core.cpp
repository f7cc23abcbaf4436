#include "iothub/client/core.hpp"

#include "base/log.hpp"
#include "base/timeout.hpp"

#include <fmt/core.h>

#include <array>
#include <chrono>
#include <utility>

namespace skerry::iothub {

using namespace std::chrono_literals;

namespace {
constexpr codec::mqtt::PacketId subscribe_id = 65535;
constexpr Duration longest_drain = 5s;
constexpr Duration longest_farewell = 1s;
// A connection that lived for less counts as a failed attempt: two clients of one identity must not chase each other.
constexpr Duration lasting = 1s;

Task<Result<>> wait_for(Task<> work) {
    co_await std::move(work);
    co_return Result<>{};
}

Error gone() { return {Errc::closed, "the connection to the hub was lost before it acknowledged"}; }
}  // namespace

ClientCore::ClientCore(DeviceClientOptions options, DeviceClientHandlers handlers,
                       std::shared_ptr<Credentials> credentials, net::Network& network, Clock& clock, Random& random,
                       Executor executor)
    : options_(std::move(options)),
      handlers_(std::make_shared<const DeviceClientHandlers>(std::move(handlers))),
      credentials_(std::move(credentials)),
      network_(network),
      clock_(clock),
      random_(random),
      executor_(executor),
      backoff_(random, options_.first_backoff, options_.longest_backoff),
      failing_handlers_(random, options_.first_backoff, options_.longest_backoff),
      outbox_(clock, executor, options_.window),
      twin_requests_(clock, executor, options_.request_limit, static_cast<std::uint32_t>(random.next())),
      inbox_(std::make_shared<Inbox>(executor)),
      changed_(executor),
      tasks_(executor) {}

void ClientCore::start() { tasks_.spawn("connection of " + options_.identity.id(), run(shared_from_this())); }

void ClientCore::cancel() {
    closing_ = true;
    inbox_->cancel();
    tasks_.cancel();
}

Task<> ClientCore::close(std::shared_ptr<ClientCore> self) {
    if (!std::exchange(self->closing_, true)) {
        if (self->up_ && self->link_) co_await disconnect(self, self->link_);
        self->up_ = self->holding_ = false;
        const Error closed{Errc::closed, "the client was closed"};
        self->outbox_.fail_in_flight(closed);
        self->outbox_.fail_waiting(closed);
        self->twin_requests_.fail_all(closed);
        self->changed_.notify();
    }
    co_await self->inbox_->close();
    co_await self->tasks_.close();
    self->link_.reset();
}

Task<> ClientCore::wait_connected(std::shared_ptr<ClientCore> self) {
    while (!self->connected() && !self->closing_) co_await self->changed_.wait();
}

Task<> ClientCore::wait_attempt(std::shared_ptr<ClientCore> self) {
    while (!self->connected() && !self->last_error_ && !self->closing_) co_await self->changed_.wait();
}

Task<> ClientCore::run(std::shared_ptr<ClientCore> self) {
    while (!self->closing_) {
        auto link = co_await with_timeout(self->clock_, self->options_.request_limit, dial(self));
        if (!link) {
            self->become_down(link.error().while_doing("connecting"));
            co_await self->clock_.sleep(self->backoff_.next());
            continue;
        }
        self->link_ = *link;
        co_await serve(self, *link);
        self->leave_link();
        if (self->closing_) co_return;
        if ((*link)->planned_end) continue;
        self->become_down((*link)->why);
        if (self->clock_.steady() - (*link)->opened >= lasting) self->backoff_.reset();
        if (std::exchange(self->handled_before_, self->inbox_->handled()) != self->inbox_->handled())
            self->failing_handlers_.reset();
        co_await self->clock_.sleep((*link)->handler_failed ? self->failing_handlers_.next() : self->backoff_.next());
    }
}

codec::mqtt::Connect ClientCore::connect_packet(std::string token) const {
    codec::mqtt::Connect connect;
    connect.keep_alive_seconds = options_.keep_alive_seconds;
    connect.client_id = options_.identity.id();
    connect.user_name =
        format_user_name(credentials_->hub_host(), options_.identity, options_.client_type, options_.auth_chain);
    connect.password = std::move(token);
    return connect;
}

Task<Result<std::shared_ptr<Link>>> ClientCore::dial(std::shared_ptr<ClientCore> self) {
    auto token = co_await self->credentials_->token();
    if (!token) co_return fail(token.error());
    const auto token_expires = self->credentials_->expires();
    const auto& to = self->options_;
    auto stream =
        to.connector ? co_await to.connector() : co_await self->network_.connect_tls(to.dial_host, to.port, to.tls);
    if (!stream) co_return fail(stream.error());
    auto link = std::make_shared<Link>(std::move(*stream), self->clock_, self->executor_);
    link->token_expires = token_expires;
    std::string bytes;
    if (!codec::mqtt::encode(self->connect_packet(std::move(*token)), bytes))
        co_return fail(Errc::malformed, "the token or the client's type is too long for CONNECT");
    if (const auto sent = co_await link->stream->write(bytes); !sent)
        co_return fail(sent.error().while_doing("sending CONNECT"));
    std::array<char, 256> buffer;  // a CONNACK, and perhaps the head of what the session had kept for us
    for (;;) {
        const auto packet = link->decoder.next();
        if (!packet) co_return fail(packet.error().while_doing("reading CONNACK"));
        if (*packet) {
            const auto* connack = std::get_if<codec::mqtt::Connack>(&**packet);
            if (connack == nullptr) co_return fail(Errc::malformed, "the hub's first packet is no CONNACK");
            if (const auto accepted = self->check_connack(*connack); !accepted) co_return fail(accepted.error());
            co_return link;
        }
        const auto count = co_await link->stream->read_some(buffer);
        if (!count) co_return fail(count.error().while_doing("reading CONNACK"));
        if (*count == 0) co_return fail(Errc::unreachable, "the hub closed the connection without a CONNACK");
        link->decoder.feed({buffer.data(), *count});
    }
}

Result<> ClientCore::check_connack(const codec::mqtt::Connack& connack) {
    using codec::mqtt::ConnectCode;
    switch (connack.code) {
        case ConnectCode::accepted: return {};
        case ConnectCode::unacceptable_protocol:
            return fail(Errc::unsupported, "the hub refused CONNECT (1): it does not speak MQTT 3.1.1");
        case ConnectCode::identifier_rejected:
            return fail(Errc::unauthorized, "the hub refused CONNECT (2): it rejected the client id");
        case ConnectCode::server_unavailable:
            return fail(Errc::unreachable, "the hub refused CONNECT (3): not available now");
        case ConnectCode::bad_credentials:
        case ConnectCode::not_authorized:
            credentials_->forget();
            if (handlers_->on_refused) handlers_->on_refused();
            return fail(
                Errc::unauthorized,
                fmt::format("the hub refused CONNECT ({}): '{}' is not authorized; check that it exists there, is "
                            "enabled and has this key, and the clock",
                            static_cast<int>(connack.code), options_.identity.id()));
    }
    return fail(Errc::malformed, fmt::format("the hub refused CONNECT with {}", static_cast<int>(connack.code)));
}

codec::mqtt::Subscribe ClientCore::subscribe_packet(bool commands) const {
    using codec::mqtt::QoS;
    codec::mqtt::Subscribe subscribe{subscribe_id, {}};
    const auto add = [&](bool wanted, Subscription kind, QoS qos) {
        if (wanted) subscribe.filters.push_back({filter_of(kind, options_.identity), qos});
    };
    add(true, Subscription::twin_responses, QoS::at_most_once);
    add(handlers_->on_desired != nullptr, Subscription::desired_properties, QoS::at_most_once);
    add(handlers_->on_method != nullptr, Subscription::methods, QoS::at_most_once);
    add(handlers_->on_input != nullptr, Subscription::module_inputs, QoS::at_least_once);
    add(commands, Subscription::cloud_to_device, QoS::at_least_once);
    return subscribe;
}

void ClientCore::take_commands(bool wanted) {
    commands_wanted_ = wanted;
    if (link_) change_subscription(*link_);
}

// One change at a time: its packet id is in use until the hub has answered.
void ClientCore::change_subscription(Link& link) {
    if (!link.subscribed || link.changing || link.commands == commands_wanted()) return;
    link.commands = commands_wanted();
    if (link.commands && link.left_out)
        return link.end({Errc::closed, "reopened so that messages come that nobody wanted before"});
    link.changing = true;
    const auto filter = filter_of(Subscription::cloud_to_device, options_.identity);
    if (link.commands)
        link.put(codec::mqtt::Subscribe{subscribe_id, {{filter, codec::mqtt::QoS::at_least_once}}});
    else
        link.put(codec::mqtt::Unsubscribe{subscribe_id, {filter}});
}

Task<> ClientCore::serve(std::shared_ptr<ClientCore> self, std::shared_ptr<Link> link) {
    TaskScope tasks(self->executor_);
    link->commands = self->commands_wanted();
    link->put(self->subscribe_packet(link->commands));
    tasks.spawn("reader", read_packets(self, link));
    tasks.spawn("writer", write_packets(self, link));
    tasks.spawn("keep-alive", keep_alive(self, link));
    tasks.spawn("token renewal", renew(self, link));
    co_await link->ended.wait();
    co_await tasks.close();
}

void ClientCore::become_up() {
    up_ = true;
    holding_ = false;
    last_error_.reset();
    inbox_->resume();
    pump();
    changed_.notify();
    told_connected_ = true;
    if (handlers_->on_connected) handlers_->on_connected();
}

// The connection is gone; whether that is a loss is not decided here.
void ClientCore::leave_link() {
    link_.reset();
    up_ = false;
    inbox_->pause();
    inbox_->forget_waiting();
    outbox_.fail_in_flight(gone());
    twin_requests_.fail_all(gone());
}

void ClientCore::become_down(Error why) {
    holding_ = false;
    if (!last_error_ || last_error_->text != why.text)
        log::warn("{}: no connection to the hub: {}", options_.identity.id(), why.text);
    last_error_ = std::move(why);
    outbox_.fail_waiting({Errc::unreachable, "not connected to the hub: " + last_error_->text});
    changed_.notify();
    if (std::exchange(told_connected_, false) && handlers_->on_disconnected) handlers_->on_disconnected(*last_error_);
}

Task<> ClientCore::renew(std::shared_ptr<ClientCore> self, std::shared_ptr<Link> link) {
    const auto life = self->credentials_->lifetime();
    const auto jitter = Duration(self->random_.below(static_cast<std::uint64_t>((life / 20).count()) + 1));
    co_await self->clock_.sleep_until(link->token_expires - life / 10 - jitter);
    while (!self->up_) co_await self->changed_.wait();
    co_await drain(self);
    link->planned_end = true;
    co_await disconnect(self, link);
}

// First lets handlers end, which may still send; then holds new requests until those in flight are acknowledged.
Task<Result<>> ClientCore::drain(std::shared_ptr<ClientCore> self) {
    self->inbox_->pause();
    auto handlers = co_await with_timeout<void>(self->clock_, longest_drain, wait_for(self->inbox_->idle()));
    self->holding_ = true;
    auto publishes = co_await with_timeout<void>(self->clock_, longest_drain, wait_for(self->outbox_.idle()));
    auto requests = co_await with_timeout<void>(self->clock_, longest_drain, wait_for(self->twin_requests_.idle()));
    if (!handlers) co_return handlers;
    co_return publishes ? requests : publishes;
}

Task<> ClientCore::disconnect(std::shared_ptr<ClientCore> self, std::shared_ptr<Link> link) {
    link->put(codec::mqtt::Disconnect{});
    const auto written = co_await with_timeout<void>(self->clock_, longest_farewell, link->flush());
    link->end(written ? Error{Errc::closed, "the client was closed"} : written.error());
}

}  // namespace skerry::iothub
