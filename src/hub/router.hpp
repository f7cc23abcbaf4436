// Which queues a message goes to, by the routes in force.
//
// Promises: every route is looked at; one target per endpoint, with the lowest priority number among the routes that
//           lead there, and that route's time to live; the durability is the strongest of them. Evaluation never
//           fails and never waits.
#pragma once

#include "hub/endpoints.hpp"
#include "hub/queue/queue_store.hpp"
#include "model/hub_config.hpp"
#include "model/message.hpp"

#include <memory>
#include <set>
#include <vector>

namespace skerry::hub {

class Router {
public:
    // `otherwise`: the durability of routes that ask for none.
    explicit Router(Durability otherwise = Durability::disk);
    ~Router();

    // Puts the routes of `config` in force, those that compile; says what is wrong with the others.
    [[nodiscard]] std::vector<model::ConfigProblem> configure(const model::HubConfig& config,
                                                              const model::Identity& own);

    [[nodiscard]] std::vector<QueueTarget> targets(const model::Message& message, const model::Identity& sender) const;
    [[nodiscard]] std::set<InputEndpoint> inputs() const;
    [[nodiscard]] std::size_t size() const;

private:
    struct Compiled;
    Durability otherwise_;
    std::vector<Compiled> routes_;
};

}  // namespace skerry::hub
