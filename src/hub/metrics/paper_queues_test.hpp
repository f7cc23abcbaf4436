// Queues that say what they are told to, for those who only ask.
#pragma once

#include "hub/queue/queue_store.hpp"

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::hub {

class PaperQueues final : public QueueStore {
public:
    Task<Result<>> append(model::SharedMessage, std::vector<QueueTarget>) override { co_return Result<>{}; }
    bool has_room() const override { return true; }
    Result<> submit(const model::SharedMessage&, const std::vector<QueueTarget>&, std::shared_ptr<StoreWaiter>,
                    std::uint64_t) override {
        return {};
    }
    EndpointQueue& endpoint(std::string_view) override { throw std::runtime_error("no queue here"); }
    Task<Result<>> drop(std::string_view) override { co_return Result<>{}; }
    void set_size_limit(std::uint64_t) override {}
    std::vector<QueueStatus> status() const override { return queues; }
    std::uint64_t bytes_on_disk() const override { return 4096; }
    const StoreFigures& figures() const override { return store_figures; }
    Task<> close() override { co_return; }

    std::vector<QueueStatus> queues;
    StoreFigures store_figures;
};

}  // namespace skerry::hub
