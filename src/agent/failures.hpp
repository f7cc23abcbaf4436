// What could not be done, and when it is tried again: never given up, ever more slowly (1 s, 10 s, 20 s … 5 min).
//
// Bounds: one entry per module and kind of command.
#pragma once

#include "agent/plan.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

#include <functional>
#include <map>
#include <string>
#include <utility>

namespace skerry::agent {

// "creating it: no such image".
[[nodiscard]] std::string describe_failure(const Command& command, const Error& why);

class Failures {
public:
    void failed(const Command& command, const Error& why, const RestartSettings& settings, SteadyTime now);
    void succeeded(const Command& command);

    // What has come right by itself, or is wanted no more, is no failure any longer.
    void settle(const std::function<bool(const std::string& module)>& deployed,
                const std::function<bool(const std::string& module)>& runs);

    // Another deployment: what failed of the last one says nothing about it.
    void clear() { entries_.clear(); }
    // The cloud is back, or the like: what waits for it may be tried at once.
    void retry_deploying(SteadyTime now);

    [[nodiscard]] bool empty() const { return entries_.empty(); }
    [[nodiscard]] std::map<std::string, Holdback> held(SteadyTime now) const;
    // "module 'filter': …"; all of them, or of one module. Without times, so that it changes only when the reasons do.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::string text_of(const std::string& module) const;

private:
    enum class Kind { deploying, running };
    struct Entry {
        int times{0};
        SteadyTime until{};
        std::string text;
    };
    [[nodiscard]] static Kind kind_of(const Command& command);
    std::map<std::pair<std::string, Kind>, Entry> entries_;
};

}  // namespace skerry::agent
