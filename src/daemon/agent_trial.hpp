// A new agent must prove itself before the one before it is forgotten: it can't be judged by its predecessor, which it
// replaces.
//
//   update of edgeAgent --replaced()--> on trial --asked for its modules, and ran for a minute after--> proved
//                                           '--ended 4 times, or silent for 5 minutes--> failed: the one before comes
//                                           back
//
// Promises: all of it is on disk, so a daemon that is killed goes on where it was. What counts as a sign of life is a
//           part of the management API that every agent uses (GET /modules from its own process): no cloud is needed,
//           and the existing agent passes as well. The agent that comes back finds on itself, as the label
//           `net.skerry.brought-back`, who failed and why.
// Bounds:   one spec kept; 1,000 bytes of the failed one's log.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"
#include "model/module.hpp"
#include "storage/database.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace skerry::daemon {

inline constexpr std::string_view brought_back_label = "net.skerry.brought-back";
inline constexpr std::string_view image_label = "net.skerry.image";  // the id of the image that it is to have again
inline constexpr std::string_view spec_label = "net.skerry.spec";    // the agent's own mark of what a module is made of

class AgentTrial {
public:
    static constexpr int ends_allowed = 3;

    struct Limits {
        Duration proof{std::chrono::seconds(60)};   // so long it must run after it has asked for its modules
        Duration silence{std::chrono::minutes(5)};  // so long it may take to ask for them
    };
    AgentTrial(storage::Database& database, Clock& clock, Executor executor, Limits limits);

    // The agent was made of that by the daemon itself: nothing to prove.
    void made(const model::ModuleSpec& spec);
    // It is about to be replaced; `previous()` is what runs now, unless that has not proved itself either. `image`: the
    // id of what runs now is made of, for its tag may be moved.
    void replaced(const model::ModuleSpec& next, const std::string& image = {});
    // The replacement could not even begin; what was there is there still.
    void undone();
    // What is there from now on is the new one.
    void begun();
    // The agent's own process asked what modules there are.
    void asked();
    // It was seen to run; it was seen not to run any more; it could not be started.
    void runs();
    void ended();
    void could_not_start();
    void give_up(std::string reason);

    [[nodiscard]] bool on_trial() const { return trial_.has_value(); }
    struct Verdict {
        enum class Kind { none, pending, proved, failed } kind{Kind::none};
        std::string reason;
        std::optional<Duration> again;  // when time alone may change it
    };
    [[nodiscard]] Verdict judge();
    // Set when the verdict may have changed by something else than time.
    [[nodiscard]] Event& news() { return news_; }

    // What is there, or was to be there when the daemon ended; nullopt: it is not known. Its image is here already.
    [[nodiscard]] std::optional<model::ModuleSpec> current() const;
    // What is to come back, with its label; nullopt: it is not known. The trial ends when it was made().
    [[nodiscard]] std::optional<model::ModuleSpec> previous(const std::string& reason, const std::string& log) const;

private:
    struct Trial {
        int ends{0};
        std::string given_up;
        // Of this process.
        bool begun{true};
        std::optional<SteadyTime> running_since;
        std::optional<SteadyTime> asked_at;
    };
    void save();

    storage::Database& database_;
    Clock& clock_;
    Limits limits_;
    Event news_;
    boost::json::object current_;   // specs; empty: not known
    boost::json::object previous_;  // has proved itself
    std::optional<Trial> trial_;
};

}  // namespace skerry::daemon
