#include "hub/pumps.hpp"

#include "base/log.hpp"

#include <algorithm>

namespace skerry::hub {

namespace {
constexpr std::size_t upstream_window = 64;  // what iothub::DeviceClient keeps in flight
}

Pumps::Pumps(QueueStore& store, CloudLink& link, Metrics& metrics, Clock& clock, Random& random, Executor executor,
             std::size_t input_window)
    : store_(store),
      link_(link),
      metrics_(metrics),
      clock_(clock),
      random_(random),
      executor_(executor),
      input_window_(input_window) {}

void Pumps::start(Sessions& sessions) {
    sessions_ = &sessions;
    for (const auto& queue : store_.status()) {
        const auto sender = upstream_sender(queue.endpoint);
        if (sender && queue.length > 0) ensure_upstream(*sender);
    }
}

Task<> Pumps::close() {
    for (auto& [endpoint, pump] : inputs_) co_await pump->close();
    for (auto& [sender, pump] : upstream_) co_await pump->close();
}

Task<> Pumps::set_inputs(std::set<InputEndpoint> inputs, bool drop_others) {
    for (auto at = inputs_.begin(); at != inputs_.end();) {
        if (inputs.contains(at->first)) {
            ++at;
            continue;
        }
        const auto pump = std::move(at->second);
        at = inputs_.erase(at);
        // At its very end: what it was reading when it was told to stop it still hands over.
        struct Forget {
            Sessions& sessions;
            const InputPump& pump;
            ~Forget() {
                if (auto* const session = sessions.find(pump.endpoint().module)) session->forget(pump);
            }
        } const forget{*sessions_, *pump};
        co_await pump->close();
    }
    for (const auto& endpoint : inputs) {
        auto& pump = inputs_[endpoint];
        if (pump) continue;
        pump = std::make_unique<InputPump>(endpoint, store_.endpoint(endpoint.name()), *sessions_, metrics_, clock_,
                                           random_, executor_, input_window_);
        pump->start();
    }
    if (drop_others) co_await drop_queues_without_route();
}

Task<> Pumps::drop_queues_without_route() {
    std::map<std::string, std::uint64_t> forgotten;
    for (const auto& queue : store_.status()) {
        const auto has_route = [&queue](const auto& entry) { return entry.first.name() == queue.endpoint; };
        if (queue.in_use && !is_upstream(queue.endpoint) && std::ranges::none_of(inputs_, has_route))
            forgotten[queue.endpoint] += queue.length;
    }
    for (const auto& [endpoint, length] : forgotten) {
        if (auto dropped = co_await store_.drop(endpoint); !dropped) {
            log::error("The queue of {} can't be dropped: {}", endpoint, dropped.error().text);
            continue;
        }
        metrics_.dropped_with_queue(endpoint, length);
        log::warn("No route leads to {} any more: its queue is dropped, with {} messages", endpoint, length);
    }
}

void Pumps::ensure_upstream(const model::Identity& sender) {
    auto& pump = upstream_[sender];
    if (pump) return;
    pump = std::make_unique<UpstreamPump>(sender, store_.endpoint(upstream_endpoint(sender)), link_, metrics_, clock_,
                                          random_, executor_, upstream_window);
    pump->start();
}

void Pumps::look_again(const Session& session) {
    // Endpoints are ordered by module first.
    for (auto at = inputs_.lower_bound(InputEndpoint{session.identity(), ""});
         at != inputs_.end() && at->first.module == session.identity(); ++at)
        at->second->look_again();
}

}  // namespace skerry::hub
