// One coroutine at a time per name: what is done to one module waits for what is being done to it, never for others.
//
// Bounds: one entry per name in use; the names are those of modules.
#pragma once

#include "base/event.hpp"

#include <map>
#include <memory>
#include <string>
#include <utility>

namespace skerry::engine {

class KeyedLock {
    struct Entry {
        explicit Entry(const Executor& executor) : released(executor) {}
        Signal released;
        bool held{false};
    };

public:
    class Guard {
    public:
        explicit Guard(std::shared_ptr<Entry> entry) : entry_(std::move(entry)) {}
        Guard(Guard&&) noexcept = default;
        Guard& operator=(Guard&&) = delete;
        ~Guard() {
            if (!entry_) return;
            entry_->held = false;
            entry_->released.notify();
        }

    private:
        std::shared_ptr<Entry> entry_;
    };

    explicit KeyedLock(Executor executor) : executor_(std::move(executor)) {}

    // Waits until nobody else holds `name`.
    [[nodiscard]] Task<Guard> lock(std::string name) {
        std::erase_if(entries_, [](const auto& item) { return item.second.use_count() == 1; });
        auto& slot = entries_[name];
        if (!slot) slot = std::make_shared<Entry>(executor_);
        const auto entry = slot;
        while (entry->held) co_await entry->released.wait();
        entry->held = true;
        co_return Guard(entry);
    }

private:
    Executor executor_;
    std::map<std::string, std::shared_ptr<Entry>> entries_;
};

}  // namespace skerry::engine
