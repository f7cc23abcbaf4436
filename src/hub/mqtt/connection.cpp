#include "hub/mqtt/connection.hpp"

#include "base/log.hpp"
#include "base/timeout.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>
#include <exception>

namespace skerry::hub::mqtt {

namespace wire = codec::mqtt;

namespace {
constexpr std::size_t most_bytes_in_progress = 1024 * 1024;
constexpr std::size_t most_requests = 64;
}  // namespace

Connection::Connection(std::unique_ptr<net::Stream> stream, Services services)
    : stream_(std::move(stream)),
      services_(services),
      decoder_(wire::Limits{services.settings.largest_packet}),
      outbox_(services.executor),
      name_(stream_->peer().address),
      progress_(services.executor),
      turn_(services.executor),
      last_heard_(services.clock.steady()),
      silence_limit_(services.settings.connect_arrival * 2),  // until CONNECT has been read, admit() watches the time
      accepting_(services.executor),
      requests_(services.executor),
      writer_(services.executor) {}

Task<> Connection::run() {
    const auto self = shared_from_this();
    std::exception_ptr stopped;
    try {
        co_await serve();
    } catch (...) {
        stopped = std::current_exception();
        end(End::by_hub, "the hub is stopping");
    }
    // Whatever happened, the tasks of this connection end before it does.
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    stream_->close();
    co_await writer_.close();
    co_await requests_.close();
    co_await accepting_.idle();
    if (ended_ == End::lost && will_ && session_) co_await publish_will();
    session_.reset();
    if (stopped) std::rethrow_exception(stopped);
}

Task<> Connection::serve() {
    auto admitted = co_await with_timeout<void>(services_.clock, services_.settings.connect_arrival, admit());
    if (!admitted) {
        if (admitted.error().code == Errc::timeout)
            end(End::lost, "no CONNECT came in time");
        else
            end(End::lost, admitted.error().text);
        co_return;
    }
    writer_.spawn("writing to " + name_, write_out());
    co_await read_packets();
}

// Handshake, CONNECT, authentication. The answer is written here: the writer starts afterwards.
Task<Result<>> Connection::admit() {
    if (auto shaken = co_await stream_->handshake(); !shaken)
        co_return fail(shaken.error().while_doing("TLS handshake"));
    auto connect = co_await receive_connect();
    if (!connect) co_return fail(connect.error());
    last_heard_ = services_.clock.steady();

    auto claim = read_claim(*connect, stream_->peer().certificates_pem);
    if (!claim) {
        co_await refuse(claim.error());
        co_return fail(Errc::unauthorized, "CONNECT refused: " + claim.error().why);
    }
    name_ = claim->identity.id();
    auto opened = co_await open_session(std::move(*connect), std::move(*claim));
    if (!opened) {
        co_await refuse(refusal_for(opened.error()));
        co_return fail(opened.error().while_doing("CONNECT refused"));
    }
    co_return Result<>{};
}

Task<Result<wire::Connect>> Connection::receive_connect() {
    for (;;) {
        auto packet = decoder_.next();
        if (!packet) {
            if (decoder_.unsupported_level())
                co_await refuse({wire::ConnectCode::unacceptable_protocol, "MQTT level other than 4 (3.1.1)"});
            co_return fail(packet.error());
        }
        if (*packet) {
            auto* const connect = std::get_if<wire::Connect>(&**packet);
            if (!connect) co_return fail(Errc::malformed, "the first packet is not CONNECT");
            co_return std::move(*connect);
        }
        const bool is_first = decoder_.buffered() == 0;
        if (auto received = co_await receive(); !received) co_return fail(received.error());
        // Whoever begins with something else is not waited for until all of it is there.
        constexpr unsigned connect_type = 1;
        if (is_first && static_cast<unsigned char>(services_.read_buffer.front()) >> 4 != connect_type)
            co_return fail(Errc::malformed, "the first packet is not CONNECT");
    }
}

Task<Result<>> Connection::open_session(wire::Connect connect, Claim claim) {
    const auto identity = claim.identity;
    auto admission = co_await services_.authenticator.authenticate(std::move(claim));
    if (!admission) co_return fail(admission.error());

    std::optional<std::string> stored;
    if (connect.clean_session) {
        if (auto removed = co_await services_.state.remove(StateKind::subscriptions, identity.id()); !removed)
            co_return fail(removed.error());
    } else {
        auto loaded = co_await services_.state.load(StateKind::subscriptions, identity.id());
        if (!loaded) co_return fail(loaded.error());
        stored = std::move(*loaded);
    }
    persistent_ = !connect.clean_session;
    if (stored) subscriptions_ = Subscriptions::from_text(*stored);
    will_ = std::move(connect.will);
    silence_limit_ = silence_limit(connect.keep_alive_seconds, services_.settings.longest_keep_alive);

    auto session = services_.sessions.open(identity, std::move(*admission), *this);
    if (!session) co_return fail(session.error());
    // No co_await from here: CONNACK is the first packet, deliveries come after it.
    session_ = std::move(*session);
    events_prefix_ = iothub::events_prefix(identity);
    outbox_.put(wire::Connack{.session_present = stored.has_value(), .code = wire::ConnectCode::accepted});
    session_->set_interests(subscriptions_.interests(identity));
    co_return Result<>{};
}

Task<> Connection::refuse(Refusal refusal) {
    std::string bytes;
    wire::encode(wire::Connack{.session_present = false, .code = refusal.code}, bytes);
    // The client may be gone already; there is nobody else to tell.
    (void)co_await stream_->write(bytes);
}

Task<Result<>> Connection::receive() {
    if (auto readable = co_await stream_->wait_readable(); !readable) co_return fail(readable.error());
    // One buffer serves all: a stream waits before it puts the first byte there, and never after.
    const auto buffer = services_.read_buffer;
    const auto count = co_await stream_->read_some(buffer);
    if (!count) co_return fail(count.error());
    if (*count == 0) co_return fail(Errc::closed, "the client closed the connection");
    decoder_.feed({buffer.data(), *count});
    co_return Result<>{};
}

Task<> Connection::read_packets() {
    for (;;) {
        auto packet = decoder_.next();
        if (!packet) {
            (void)violation(packet.error().text);
            co_return;
        }
        if (!*packet) {
            if (auto received = co_await receive(); !received) {
                end(End::lost, received.error().text);
                co_return;
            }
            last_heard_ = services_.clock.steady();
            continue;
        }
        if (is_busy()) co_await wait_for_room();
        if (ended_ != End::none) co_return;
        auto* const publish = std::get_if<wire::Publish>(&**packet);
        if (publish) {
            if (batch_left_ == 0) co_await pass_turnstile();
            if (ended_ != End::none) co_return;
            --batch_left_;
        }
        if (const auto* const ack = std::get_if<wire::Puback>(&**packet)) {
            if (const auto tag = outbox_.acknowledged(ack->id)) session_->delivered(*tag);
            continue;
        }
        const bool goes_on = publish ? handle_publish(std::move(*publish)) : co_await handle(std::move(**packet));
        if (!goes_on) co_return;
    }
}

// Back-pressure: a client that sends faster than its messages become durable, or than it reads, is not read.
bool Connection::is_busy() const {
    return unacknowledged() >= services_.settings.unacknowledged_publishes ||
           expected_bytes_ >= most_bytes_in_progress || requests_running_ >= most_requests || outbox_.is_backed_up();
}

Task<> Connection::wait_for_room() {
    while (ended_ == End::none && is_busy()) {
        progress_.reset();
        co_await progress_.wait();
    }
}

Task<> Connection::pass_turnstile() {
    batch_left_ = publishes_per_batch;
    auto& turnstile = *services_.turnstile;
    if (turnstile.is_open())
        turnstile.take();
    else
        co_await turnstile.pass(turn_);
}

Task<> Connection::write_out() {
    for (;;) {
        const auto bytes = co_await outbox_.next();
        const bool was_full = !outbox_.has_room();
        if (auto written = co_await stream_->write(bytes); !written) {
            end(End::lost, written.error().text);
            co_return;
        }
        last_heard_ = services_.clock.steady();
        for (const auto tag : outbox_.written()) session_->delivered(tag);
        if (was_full) session_->changed();
        progress_.set();
    }
}

void Connection::check_silence(SteadyTime now) {
    if (now - last_heard_ > silence_limit_) end(End::lost, "nothing was heard for 1.5 times the keep-alive");
}

// The first reason counts.
void Connection::end(End how, std::string_view why) {
    if (ended_ != End::none) return;
    ended_ = how;
    log::info("MQTT connection of {} closed: {}", name_, why);
    stream_->close();
    progress_.set();
}

void Connection::close(std::string_view why) { end(End::by_hub, why); }

Task<> Connection::publish_will() {
    auto topic = iothub::parse_client_topic(will_->topic);
    auto* const events = topic ? std::get_if<iothub::TelemetryTopic>(&*topic) : nullptr;
    auto properties = events ? own_properties(std::move(*events))
                             : Result<iothub::PropertyBag>(fail(Errc::malformed, "its topic is none for messages"));
    if (!properties) {
        log::warn("The will of {} is dropped: {}", name_, properties.error().text);
        co_return;
    }
    auto message = telemetry(std::move(*properties), std::move(will_->payload), will_->retain, false);
    message.properties.emplace_back("MessageType", "Will");
    if (auto published = co_await session_->publish(std::move(message)); !published)
        log::warn("The will of {} is lost: {}", name_, published.error().text);
}

// --- what the core sends --------------------------------------------------------------------------------------------

bool Connection::takes_input(std::string_view input) const {
    return ended_ == End::none && session_ && session_->identity().is_module() && input_of(input).qos.has_value();
}

const Connection::Input& Connection::input_of(std::string_view name) const {
    constexpr std::size_t most = 16;
    const auto known = std::ranges::find(inputs_, name, &Input::name);
    if (known != inputs_.end()) return *known;
    if (inputs_.size() >= most) inputs_.clear();
    auto prefix = iothub::input_prefix(session_->identity(), name);
    const auto qos = subscriptions_.match_input(prefix);
    return inputs_.emplace_back(std::string(name), std::move(prefix), qos);
}

bool Connection::writable() const { return ended_ == End::none && outbox_.has_room(); }

void Connection::deliver_input(std::string_view input, const model::Message& message, DeliveryTag tag) {
    const auto& known = input_of(input);
    topic_.clear();
    iothub::append_input_topic(topic_, known.prefix, message);
    deliver(topic_, known.qos, message, tag);
}

void Connection::deliver_to_device(const model::Message& message, DeliveryTag tag) {
    const auto topic = iothub::cloud_to_device_topic(session_->identity(), message);
    deliver(topic, subscriptions_.match(topic), message, tag);
}

void Connection::deliver(std::string_view topic, std::optional<wire::QoS> subscribed, const model::Message& message,
                         DeliveryTag tag) {
    auto qos = subscribed.value_or(wire::QoS::at_least_once);
    if (const auto wanted = model::find(message.properties, "mqtt-qos"); wanted && wanted->value == "0")
        qos = wire::QoS::at_most_once;
    const auto put = outbox_.publish(topic, message.body, qos, tag);
    if (put) return;
    if (put.error().code == Errc::malformed) {
        log::error("A message for {} can't be delivered over MQTT and is dropped: {}", name_, put.error().text);
        session_->delivered(tag);
    } else {
        end(End::by_hub, put.error().text);
    }
}

void Connection::push_desired(const boost::json::object& patch, std::int64_t version) {
    push(iothub::desired_patch_topic(version), boost::json::serialize(patch));
}

void Connection::call_method(std::string_view call_id, const iothub::MethodRequest& request) {
    push(iothub::method_request_topic(request.method, call_id), request.payload);
}

void Connection::push(std::string_view topic, std::string_view payload) {
    const auto qos = subscriptions_.match(topic);
    if (!qos || ended_ != End::none) return;
    if (auto put = outbox_.publish(topic, payload, *qos, std::nullopt); !put) end(End::by_hub, put.error().text);
}

}  // namespace skerry::hub::mqtt
