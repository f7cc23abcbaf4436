// What the agent asks of whoever runs modules: the daemon's management API in the product, a fake in tests.
//
// Promises: nothing here is retried; an error's code says whether the daemon was away or said no.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "daemonapi/management_client.hpp"
#include "model/module.hpp"
#include "net/network.hpp"

#include <boost/json/object.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::agent {

class ModuleRuntime {
public:
    virtual ~ModuleRuntime() = default;

    [[nodiscard]] virtual Task<Result<daemonapi::ModuleList>> list() = 0;
    // Waits, a minute at most, until the list is another one than that of `tag`, which is not empty. False: it is not.
    [[nodiscard]] virtual Task<Result<bool>> wait_change(std::string tag) = 0;
    [[nodiscard]] virtual Task<Result<>> prepare(model::ModuleSpec spec) = 0;  // may take minutes
    [[nodiscard]] virtual Task<Result<>> create(model::ModuleSpec spec) = 0;
    [[nodiscard]] virtual Task<Result<>> update(model::ModuleSpec spec, bool start) = 0;
    [[nodiscard]] virtual Task<Result<>> start(std::string name) = 0;
    [[nodiscard]] virtual Task<Result<>> stop(std::string name) = 0;
    [[nodiscard]] virtual Task<Result<>> restart(std::string name) = 0;
    [[nodiscard]] virtual Task<Result<>> remove(std::string name) = 0;

    [[nodiscard]] virtual Task<Result<std::vector<daemonapi::IdentityEntry>>> identities() = 0;
    [[nodiscard]] virtual Task<Result<daemonapi::IdentityEntry>> create_identity(std::string module_id) = 0;
    [[nodiscard]] virtual Task<Result<>> delete_identity(std::string module_id) = 0;

    [[nodiscard]] virtual Task<Result<boost::json::object>> system_info() = 0;
    // What the machine and the modules use (agent-and-daemon.md 5.3.3).
    [[nodiscard]] virtual Task<Result<boost::json::object>> resources() = 0;

    // The engine's log frames of the module's last `lines` lines.
    [[nodiscard]] virtual Task<Result<std::string>> log_tail(std::string name, int lines) = 0;
};

// Over the management API. Looking (list) and waiting (wait_change) keep one connection each; everything else is rare
// and has a connection of its own, so that a slow pull never delays the restart of another module.
class DaemonRuntime final : public ModuleRuntime {
public:
    // `uri` is the value of IOTEDGE_MANAGEMENTURI.
    [[nodiscard]] static Result<std::unique_ptr<DaemonRuntime>> create(net::Network& network, Clock& clock,
                                                                       std::string_view uri);

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
    using Client = std::unique_ptr<daemonapi::ManagementClient>;
    DaemonRuntime(net::Network& network, Clock& clock, std::string uri, Client looking)
        : network_(network),
          clock_(clock),
          uri_(std::move(uri)),
          looking_(std::move(looking)),
          waiting_(connection()) {}
    [[nodiscard]] Client connection();

    net::Network& network_;
    Clock& clock_;
    std::string uri_;
    Client looking_;
    Client waiting_;
};

}  // namespace skerry::agent
