// Moves messages out of one queue, in order, a window at a time, until told to stop.
//
// Promises: a message leaves its queue only when the consumer has acknowledged it. A consumer that goes away leaves
//           all its unacknowledged messages due again, in their order. A full window or a slow socket holds up this
//           queue only.
// Bounds:   `window` deliveries without acknowledgement per queue; upstream also about 1 MB of bodies per sender.
// Threads:  the loop's.
#pragma once

#include "base/backoff.hpp"
#include "base/task_scope.hpp"
#include "hub/endpoints.hpp"
#include "hub/metrics/metrics.hpp"
#include "hub/sessions.hpp"

#include <string>

namespace skerry::hub {

// Tells a pump that its queue has something new. queue.wait() is asked only after a take() that came back empty.
class QueueWatch {
public:
    QueueWatch(EndpointQueue& queue, Event& kick, const Executor& executor)
        : queue_(queue), kick_(kick), wanted_(executor) {}
    [[nodiscard]] Task<> run();
    void arm() { wanted_.set(); }

private:
    EndpointQueue& queue_;
    Event& kick_;
    Event wanted_;
};

// One input of one module.
class InputPump final : public DeliveryOwner {
public:
    InputPump(InputEndpoint endpoint, EndpointQueue& queue, Sessions& sessions, Metrics& metrics, Clock& clock,
              Random& random, Executor executor, std::size_t window);

    void start();
    [[nodiscard]] Task<> close() { co_await tasks_.close(); }
    // The consumer came, went, subscribed, or has room again.
    void look_again() { kick_.set(); }
    void delivered(const Delivery& delivery, SteadyTime since) override;
    [[nodiscard]] const InputEndpoint& endpoint() const { return endpoint_; }

private:
    [[nodiscard]] Task<> run();
    [[nodiscard]] Session* consumer();
    [[nodiscard]] Task<> pass_on(Session& session);

    InputEndpoint endpoint_;
    EndpointQueue& queue_;
    Sessions& sessions_;
    SentTo& sent_;
    Clock& clock_;
    Backoff backoff_;
    std::size_t window_;
    std::size_t in_flight_{0};
    std::uint64_t consumer_serial_{0};
    Event kick_;
    QueueWatch watch_;
    TaskScope tasks_;
};

// What one sender sends upstream.
class UpstreamPump {
public:
    UpstreamPump(model::Identity sender, EndpointQueue& queue, CloudLink& link, Metrics& metrics, Clock& clock,
                 Random& random, Executor executor, std::size_t window);

    void start();
    [[nodiscard]] Task<> close() { co_await tasks_.close(); }

private:
    [[nodiscard]] Task<> run();
    [[nodiscard]] Task<> send(Delivery delivery);
    [[nodiscard]] Task<> recover();
    void note_failure(const Error& error);

    model::Identity sender_;
    EndpointQueue& queue_;
    CloudLink& link_;
    Metrics& metrics_;
    SentTo& sent_;
    Clock& clock_;
    Backoff backoff_;
    std::size_t window_;
    std::size_t in_flight_{0};
    std::size_t bytes_in_flight_{0};
    bool failed_{false};  // the messages in flight are waited for, then all are due again
    int failures_{0};     // in a row
    std::optional<Errc> logged_;
    Event kick_;
    QueueWatch watch_;
    TaskScope tasks_;
};

}  // namespace skerry::hub
