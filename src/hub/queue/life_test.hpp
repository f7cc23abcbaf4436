// For tests: a store on a simulated disk, in a world of its own, that can be killed and opened again.
#pragma once

#include "hub/queue/queue_store.hpp"
#include "sim/disk.hpp"
#include "sim/world.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace skerry::hub {

inline model::SharedMessage text_message(std::string body) {
    auto message = std::make_shared<model::Message>();
    message->body = std::move(body);
    message->system = {{"edgeMessageId", "e"}, {"connectionDeviceId", "dev"}};
    return message;
}

// Runs no job until it is told to.
class HeldWorker final : public Worker {
public:
    explicit HeldWorker(Executor executor) : go(std::move(executor)) {}
    Task<> run_job(std::function<void()> job) override {
        co_await go.wait();
        job();
    }
    Event go;
};

// One run of the hub: it ends by close(), or like a process that is killed.
class Life {
public:
    explicit Life(sim::Disk& on, QueueLimits limits = {}, std::uint64_t seed = 1)
        : world(seed), disk_(on), limits_(limits) {}

    [[nodiscard]] Result<> open() {
        auto opened = world.run(QueueStore::open(disk_, "/queues", *worker, world.clock(), world.executor(), limits_));
        if (!opened) return fail(opened.error());
        store = std::move(*opened);
        return {};
    }
    Result<> publish(std::string body, std::vector<QueueTarget> targets) {
        return world.run(store->append(text_message(std::move(body)), std::move(targets)));
    }
    std::vector<Delivery> take(std::string_view endpoint, std::size_t at_most = 1000) {
        auto taken = world.run(store->endpoint(endpoint).take(at_most));
        REQUIRE_MESSAGE(taken, taken.error().text);
        return std::move(*taken);
    }
    // Everything that is due, acknowledged.
    std::vector<std::string> drain(std::string_view endpoint) {
        std::vector<std::string> bodies;
        for (auto taken = take(endpoint); !taken.empty(); taken = take(endpoint)) {
            for (const auto& delivery : taken) {
                bodies.push_back(delivery.message->body);
                store->endpoint(endpoint).acknowledge(delivery);
            }
        }
        return bodies;
    }
    void close() { world.run(store->close()); }

    sim::World world;
    std::unique_ptr<Worker> worker = make_inline_worker();
    std::unique_ptr<QueueStore> store;

private:
    sim::Disk& disk_;
    QueueLimits limits_;
};

}  // namespace skerry::hub
