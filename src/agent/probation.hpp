// The judge of a deployment that was just carried out: does what it changed work?
//
// Promises: a module fails the deployment when it ends with another code than 0, becomes unhealthy, or can't be
//           prepared, created or started, more often than `failures_allowed`; or when it is still down or unhealthy
//           after the window, with nothing to hope for. Exit code 0 is never a failure. Modules that the deployment
//           did not change, and those that failed before it, have no say. Counts survive the agent (to_json); the
//           window begins anew then, and what happened while nobody watched does not count.
// Bounds:   one entry per changed module.
#pragma once

#include "base/clock.hpp"
#include "model/manifest.hpp"
#include "model/module.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace skerry::agent {

struct ProbationPolicy {
    bool rollback{true};
    Duration window{std::chrono::seconds(60)};
    int failures_allowed{3};

    // What the deployment says wins.
    [[nodiscard]] ProbationPolicy with(const model::DeploymentPolicy& policy) const;
};

// A changed module that gets neither healthy nor up again is waited for so long after the window.
inline constexpr Duration longest_doubt = std::chrono::minutes(5);

class Probation {
public:
    explicit Probation(ProbationPolicy policy) : policy_(policy) {}

    // `there_before`: its present state is from before the deployment (it was only told to run now).
    void watch(const std::string& module, model::RestartPolicy policy, bool there_before);
    // Goes on with counts of an earlier process, for modules that are watched already.
    void resume(const boost::json::object& counts);
    [[nodiscard]] boost::json::object to_json() const;
    [[nodiscard]] bool watches(const std::string& module) const { return watched_.contains(module); }
    // True once after something that to_json shows has changed.
    [[nodiscard]] bool take_changed() { return std::exchange(changed_, false); }

    // What the daemon says of a module that looks as the deployment wants it.
    void saw(const model::ModuleStatus& status);
    void started(const std::string& module);
    // `what`: "creating it: no such image".
    void could_not(const std::string& module, const std::string& what);
    // Nothing more is to be hoped for.
    void give_up(const std::string& module, const std::string& why);

    struct Verdict {
        enum class Kind { pending, passed, failed } kind{Kind::pending};
        std::string module;
        std::string reason;
        std::optional<Duration> again;  // when time alone changes the verdict
    };
    // `carried_out`: everything is as the deployment wants it; the window begins when that is so first.
    [[nodiscard]] Verdict judge(bool carried_out, SteadyTime now);

private:
    struct Watched {
        model::RestartPolicy policy{model::RestartPolicy::always};
        bool past_unknown{false};
        bool given_up{false};
        int failures{0};
        std::string last;
        bool down{false};  // it failed, and was not started since
        std::optional<WallTime> exited;
        model::Health health{model::Health::none};
    };
    void count(Watched& watched, const std::string& what);

    ProbationPolicy policy_;
    std::map<std::string, Watched> watched_;
    std::optional<SteadyTime> began_;
    bool changed_{false};
};

}  // namespace skerry::agent
