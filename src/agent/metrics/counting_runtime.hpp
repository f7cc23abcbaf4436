// A module runtime that counts what it is asked, and how long it takes. Everything goes on to the one behind it.
//
// Promise: an update counts as a stop of the version that was there and, when it starts, as a start of the new one.
//          What never reached the daemon is not counted.
// Bound:   one remembered version per module that is there.
#pragma once

#include "agent/metrics/metrics.hpp"
#include "agent/runtime.hpp"

#include <functional>
#include <map>
#include <string>

namespace skerry::agent {

class CountingRuntime final : public ModuleRuntime {
public:
    // `version_of`: the version of a module in the deployment in force.
    CountingRuntime(ModuleRuntime& inner, Metrics& metrics, Clock& clock,
                    std::function<std::string(const std::string& module)> version_of);

    [[nodiscard]] Task<Result<daemonapi::ModuleList>> list() override;
    [[nodiscard]] Task<Result<bool>> wait_change(std::string tag) override;
    [[nodiscard]] Task<Result<>> prepare(model::ModuleSpec spec) override;
    [[nodiscard]] Task<Result<>> create(model::ModuleSpec spec) override;
    [[nodiscard]] Task<Result<>> update(model::ModuleSpec spec, bool start) override;
    [[nodiscard]] Task<Result<>> start(std::string name) override;
    [[nodiscard]] Task<Result<>> stop(std::string name) override;
    [[nodiscard]] Task<Result<>> restart(std::string name) override;
    [[nodiscard]] Task<Result<>> remove(std::string name) override;
    [[nodiscard]] Task<Result<std::vector<daemonapi::IdentityEntry>>> identities() override;
    [[nodiscard]] Task<Result<daemonapi::IdentityEntry>> create_identity(std::string module_id) override;
    [[nodiscard]] Task<Result<>> delete_identity(std::string module_id) override;
    [[nodiscard]] Task<Result<boost::json::object>> system_info() override;
    [[nodiscard]] Task<Result<boost::json::object>> resources() override;
    [[nodiscard]] Task<Result<std::string>> log_tail(std::string name, int lines) override;

private:
    // True: the daemon was asked.
    [[nodiscard]] bool took(std::string_view kind, SteadyTime since, const Result<>& result);
    // Of the module that is there.
    [[nodiscard]] const std::string& version_there(const std::string& name);

    ModuleRuntime& inner_;
    Metrics& metrics_;
    Clock& clock_;
    std::function<std::string(const std::string&)> version_of_;
    std::map<std::string, std::string> versions_;
};

}  // namespace skerry::agent
