// For tests: what the outside world knows of each message in each queue, and so what a store may and must deliver.
#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::hub {

class Ledger {
public:
    using Name = std::pair<std::string, std::uint32_t>;  // endpoint and priority

    // Why a delivery was wrong; nullopt when it was not.
    using Complaint = std::optional<std::string_view>;

    void next_life() {
        ++life_;
        last_.clear();
        consumed_.clear();
    }
    void sent(const Name& name, std::uint64_t number, WallTime deadline) {
        queues_[name].live[number].deadline = deadline;
    }
    // The publisher was told so.
    void stored(const Name& name, std::uint64_t number) {
        auto& live = queues_[name].live;
        if (const auto fate = live.find(number); fate != live.end()) fate->second.stored = true;
    }
    [[nodiscard]] Complaint delivered(const Name& name, std::uint64_t number, WallTime now) {
        auto& queue = queues_[name];
        if (queue.gone.contains(number)) return "came back after it was gone";
        const auto fate = queue.live.find(number);
        if (fate == queue.live.end()) return "was never sent there";
        if (fate->second.taken_in_life == life_) return "came twice";
        if (fate->second.deadline <= now) return "came after it had expired";
        auto& last = last_[name];
        if (number <= last) return "came out of order";
        last = number;
        fate->second.taken_in_life = life_;
        return std::nullopt;
    }
    void consumed(const Name& name, std::uint64_t number) {
        auto& live = queues_[name].live;
        const auto fate = live.find(number);
        if (fate == live.end() || fate->second.taken_in_life != life_) return;
        fate->second.consumed = true;
        consumed_.emplace_back(name, number);
    }
    // What was consumed in this life is never to come back.
    void consumed_is_durable() {
        for (const auto& [name, number] : consumed_) {
            auto& queue = queues_[name];
            if (queue.live.erase(number) > 0) queue.gone.insert(number);
        }
        consumed_.clear();
    }
    // The consumers have gone: what they had is due again.
    void given_back(const Name& name, std::uint64_t number) {
        auto& live = queues_[name].live;
        if (const auto fate = live.find(number); fate != live.end()) fate->second.taken_in_life = 0;
    }
    void from_the_front() { last_.clear(); }
    // Of a dropped endpoint nothing may come back; when the drop failed, anything may.
    void dropped(std::string_view endpoint, bool surely) {
        for (auto& [name, queue] : queues_) {
            if (name.first != endpoint) continue;
            for (auto& [number, fate] : queue.live) {
                fate.stored = false;
                if (surely) queue.gone.insert(number);
            }
            if (surely) queue.live.clear();
        }
    }

    // How many messages an endpoint holds, at least and at most.
    [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> bounds(std::string_view endpoint, WallTime now) const {
        std::pair<std::uint64_t, std::uint64_t> bounds;
        for (const auto& [name, queue] : queues_) {
            if (name.first != endpoint) continue;
            bounds.second += queue.live.size();
            for (const auto& [number, fate] : queue.live) bounds.first += due(fate, now) ? 1 : 0;
        }
        return bounds;
    }
    // What should have been delivered and was not.
    [[nodiscard]] std::vector<std::pair<Name, std::uint64_t>> lost(WallTime now) const {
        std::vector<std::pair<Name, std::uint64_t>> all;
        for (const auto& [name, queue] : queues_)
            for (const auto& [number, fate] : queue.live)
                if (due(fate, now)) all.emplace_back(name, number);
        return all;
    }

private:
    struct Fate {
        WallTime deadline{WallTime::max()};
        std::uint64_t taken_in_life{0};
        bool stored{false};
        bool consumed{false};
    };
    struct Queue {
        std::map<std::uint64_t, Fate> live;
        std::set<std::uint64_t> gone;
    };
    static bool due(const Fate& fate, WallTime now) { return fate.stored && !fate.consumed && fate.deadline > now; }

    std::map<Name, Queue> queues_;
    std::map<Name, std::uint64_t> last_;  // in this life, or since the consumers came back
    std::vector<std::pair<Name, std::uint64_t>> consumed_;
    std::uint64_t life_{0};
};

}  // namespace skerry::hub
