#include "hub/pump.hpp"

#include "base/log.hpp"

#include <algorithm>

namespace skerry::hub {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t batch = 32;
constexpr std::size_t most_upstream_bytes = 1024 * 1024;
}  // namespace

Task<> QueueWatch::run() {
    for (;;) {
        co_await wanted_.wait();
        wanted_.reset();
        co_await queue_.wait();
        kick_.set();
    }
}

// --- inputs

InputPump::InputPump(InputEndpoint endpoint, EndpointQueue& queue, Sessions& sessions, Metrics& metrics, Clock& clock,
                     Random& random, Executor executor, std::size_t window)
    : endpoint_(std::move(endpoint)),
      queue_(queue),
      sessions_(sessions),
      sent_(metrics.sent_to(endpoint_.module.id(), endpoint_.input)),
      clock_(clock),
      backoff_(random, 100ms, 30s),
      window_(window),
      kick_(executor),
      watch_(queue, kick_, executor),
      tasks_(executor) {}

void InputPump::start() {
    tasks_.spawn("pump of " + endpoint_.name(), run());
    tasks_.spawn("queue watch of " + endpoint_.name(), watch_.run());
}

Session* InputPump::consumer() {
    auto* const session = sessions_.find(endpoint_.module);
    return session && session->channel().takes_input(endpoint_.input) ? session : nullptr;
}

Task<> InputPump::run() {
    for (;;) {
        kick_.reset();
        auto* const session = consumer();
        const auto serial = session ? session->serial() : 0;
        if (serial != consumer_serial_) {
            queue_.return_all();
            in_flight_ = 0;
            consumer_serial_ = serial;
        }
        if (session && in_flight_ < window_ && session->channel().writable())
            co_await pass_on(*session);
        else
            co_await kick_.wait();
    }
}

Task<> InputPump::pass_on(Session& session) {
    const auto serial = session.serial();
    auto taken = co_await queue_.take(std::min(window_ - in_flight_, batch));
    if (!taken) {
        log::error("The queue of {} can't be read: {}", endpoint_.name(), taken.error().text);
        co_await clock_.sleep(backoff_.next());
        co_return;
    }
    backoff_.reset();
    if (taken->empty()) {
        watch_.arm();
        co_await kick_.wait();
        co_return;
    }
    // While the queue was read the consumer may have gone; its socket may fill up. A session outlives this loop.
    auto* const now = consumer();
    const bool same = now && now->serial() == serial;
    const auto since = clock_.steady();
    for (const auto& delivery : *taken) {
        if (!same || !now->channel().writable()) {
            queue_.give_back(delivery);
            continue;
        }
        ++in_flight_;
        now->deliver(*this, endpoint_.input, delivery, since);
    }
}

void InputPump::delivered(const Delivery& delivery, SteadyTime since) {
    sent_.sent(delivery, clock_.steady() - since);
    queue_.acknowledge(delivery);
    if (in_flight_ > 0) --in_flight_;
    if (!kick_.is_set()) kick_.set();
}

// --- upstream

UpstreamPump::UpstreamPump(model::Identity sender, EndpointQueue& queue, CloudLink& link, Metrics& metrics,
                           Clock& clock, Random& random, Executor executor, std::size_t window)
    : sender_(std::move(sender)),
      queue_(queue),
      link_(link),
      metrics_(metrics),
      sent_(metrics.sent_to("upstream", "", sender_.id())),
      clock_(clock),
      backoff_(random, 200ms, 60s),
      window_(window),
      kick_(executor),
      watch_(queue, kick_, executor),
      tasks_(executor) {}

void UpstreamPump::start() {
    tasks_.spawn("upstream pump of " + sender_.id(), run());
    tasks_.spawn("upstream queue watch of " + sender_.id(), watch_.run());
}

Task<> UpstreamPump::run() {
    for (;;) {
        kick_.reset();
        if (failed_ && in_flight_ == 0) {
            co_await recover();
            continue;
        }
        if (failed_ || in_flight_ >= window_ || bytes_in_flight_ >= most_upstream_bytes) {
            co_await kick_.wait();
            continue;
        }
        auto taken = co_await queue_.take(std::min(window_ - in_flight_, batch));
        if (!taken) {
            log::error("The upstream queue of {} can't be read: {}", sender_.id(), taken.error().text);
            co_await clock_.sleep(backoff_.next());
            continue;
        }
        if (taken->empty()) {
            watch_.arm();
            co_await kick_.wait();
            continue;
        }
        for (auto& delivery : *taken) {
            ++in_flight_;
            bytes_in_flight_ += delivery.message->body.size();
            tasks_.spawn("upstream send", send(std::move(delivery)));
        }
    }
}

Task<> UpstreamPump::send(Delivery delivery) {
    const auto since = clock_.steady();
    // A message taken before the failure of an earlier one must not overtake it.
    auto sent = failed_ ? Result<>(fail(Errc::unreachable, "an earlier message failed"))
                        : co_await link_.send(sender_, delivery.message);
    --in_flight_;
    bytes_in_flight_ -= delivery.message->body.size();
    if (sent) {
        const auto now = clock_.steady();
        sent_.sent(delivery, now - since);
        metrics_.upstream_acknowledged(now);
        queue_.acknowledge(delivery);
        if (failures_ > 0 && logged_) log::info("Messages of {} flow upstream again", sender_.id());
        failures_ = 0;
        logged_.reset();
        backoff_.reset();
    } else if (sent.error().code == Errc::malformed) {
        log::error("A message of {} is refused upstream for good and dropped: {}", sender_.id(), sent.error().text);
        sent_.refused();
        queue_.acknowledge(delivery);
    } else {
        if (!failed_) note_failure(sent.error());
        failed_ = true;
    }
    kick_.set();
}

// Unreachable is what offline looks like: the link says that once for all. Anything else concerns this sender.
void UpstreamPump::note_failure(const Error& error) {
    ++failures_;
    metrics_.retried(sender_, "SendMessage");
    const bool offline = error.code == Errc::unreachable || error.code == Errc::closed;
    if (offline || logged_ == error.code) return;
    logged_ = error.code;
    log::warn("Messages of {} can't be sent upstream and wait: {}", sender_.id(), error.text);
}

// Nothing is in flight: everything unacknowledged is due again once the link is there.
Task<> UpstreamPump::recover() {
    queue_.return_all();
    if (failures_ > 1) co_await clock_.sleep(backoff_.next());
    co_await link_.wait_ready(sender_);
    failed_ = false;
}

}  // namespace skerry::hub
