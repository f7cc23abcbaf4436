// What the engine said of its containers, so that looking at those that rest costs one request, not one for each.
//
// Promises: what is found here was true when it was asked, and no event, no command and no other look in the engine's
//           list has told of a change since; whatever was missed, it is asked again after `longest_trust`.
// Bounds:   one entry per container of the last list.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "model/module.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace skerry::engine::moby {

class StatusCache {
public:
    static constexpr Duration longest_trust = std::chrono::seconds(30);

    // What the engine's list says of each container, by id.
    void listed(std::map<std::string, std::string> looks) {
        looks_ = std::move(looks);
        std::erase_if(entries_, [&](const auto& entry) {
            const auto look = looks_.find(entry.first);
            return look == looks_.end() || look->second != entry.second.look;
        });
    }

    // Null: ask. Valid until the next call.
    [[nodiscard]] const model::ModuleStatus* find(const std::string& id, SteadyTime now) const {
        const auto found = entries_.find(id);
        return found != entries_.end() && now - found->second.asked < longest_trust ? &found->second.status : nullptr;
    }

    // To be taken before asking; the answer is not kept if something has changed meanwhile.
    [[nodiscard]] std::uint64_t mark() const { return changes_; }
    void put(const std::string& id, std::uint64_t mark, model::ModuleStatus status, SteadyTime now) {
        const auto look = looks_.find(id);
        if (mark != changes_ || look == looks_.end()) return;
        entries_[id] = {.look = look->second, .status = std::move(status), .asked = now};
    }

    void forget(const std::string& id) {
        ++changes_;
        entries_.erase(id);
    }
    void clear() {
        ++changes_;
        entries_.clear();
    }

private:
    struct Entry {
        std::string look;
        model::ModuleStatus status;
        SteadyTime asked;
    };
    std::map<std::string, std::string> looks_;
    std::map<std::string, Entry> entries_;
    std::uint64_t changes_{0};
};

}  // namespace skerry::engine::moby
