// All pumps: one per module input that a route leads to, one per sender of messages to the cloud.
//
// Bounds: as many input pumps as routes name inputs; as many upstream pumps as identities have sent something.
#pragma once

#include "hub/pump.hpp"

#include <map>
#include <memory>
#include <set>

namespace skerry::hub {

class Pumps final : public SessionObserver {
public:
    Pumps(QueueStore& store, CloudLink& link, Metrics& metrics, Clock& clock, Random& random, Executor executor,
          std::size_t input_window);

    // Resumes the upstream queues that hold something.
    void start(Sessions& sessions);
    [[nodiscard]] Task<> close();

    // The inputs that routes lead to. With `drop_others`, queues of inputs without a route are forgotten with their
    // messages.
    [[nodiscard]] Task<> set_inputs(std::set<InputEndpoint> inputs, bool drop_others);
    void ensure_upstream(const model::Identity& sender);

    void session_opened(Session& session) override { look_again(session); }
    void session_changed(Session& session) override { look_again(session); }
    void session_ended(Session& session) override { look_again(session); }

private:
    void look_again(const Session& session);
    [[nodiscard]] Task<> drop_queues_without_route();

    QueueStore& store_;
    CloudLink& link_;
    Metrics& metrics_;
    Clock& clock_;
    Random& random_;
    Executor executor_;
    std::size_t input_window_;
    Sessions* sessions_{nullptr};
    std::map<InputEndpoint, std::unique_ptr<InputPump>> inputs_;
    std::map<model::Identity, std::unique_ptr<UpstreamPump>> upstream_;
};

}  // namespace skerry::hub
