// What is done to modules: the engine's operations with everything around them: environment, sockets, storage,
// identities.
//
// Promises: operations on one module exclude each other, those on others never wait. An update is checked and its image
//           made ready before the old module is touched. Starting a module that runs touches nothing, its socket least.
#pragma once

#include "daemon/agent_trial.hpp"
#include "daemon/config.hpp"
#include "daemon/identities.hpp"
#include "daemon/unix_server.hpp"
#include "daemon/workload_api.hpp"
#include "engine/engine.hpp"
#include "engine/keyed_lock.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace skerry::daemon {

// <home>/mnt/<12 hex digits>: short, since a socket's path has 107 bytes at most.
[[nodiscard]] std::filesystem::path socket_folder(const std::filesystem::path& home, std::string_view module);
// Where a module's own files are: it outlives the module, as a volume does.
[[nodiscard]] std::filesystem::path storage_folder(const std::filesystem::path& home, std::string_view module);
// edgeAgent and edgeHub: they keep state that must outlive them.
[[nodiscard]] bool keeps_state(std::string_view module);
// Errc::malformed when the sockets in `home` would have too long paths, with the limit.
[[nodiscard]] Result<> check_home(const std::filesystem::path& home);

class Modules {
public:
    // `management` answers on the agent's own management socket.
    Modules(Platform platform, const Config& config, engine::Engine& engine, Identities& identities,
            WorkloadApi& workload, AgentTrial& trial, net::HttpHandler management);

    // Serves the sockets of all modules that there are.
    [[nodiscard]] Task<> open_sockets();

    [[nodiscard]] Task<Result<>> prepare(model::ModuleSpec spec);
    [[nodiscard]] Task<Result<>> create(model::ModuleSpec spec);
    // Errc::not_found when it does not exist: it is no upsert.
    [[nodiscard]] Task<Result<>> update(model::ModuleSpec spec, bool start);
    [[nodiscard]] Task<Result<>> start(std::string name);
    [[nodiscard]] Task<Result<>> stop(std::string name);
    [[nodiscard]] Task<Result<>> restart(std::string name);
    [[nodiscard]] Task<Result<>> remove(std::string name);

    // One look at the agent: starts it if it does not run, makes it if it is not there (as it was when that is known),
    // or of the configuration if `anew`. True: it ran already.
    [[nodiscard]] Task<Result<bool>> ensure_agent(bool anew);
    // Puts this one in place of whatever agent there is, and starts it.
    [[nodiscard]] Task<Result<>> replace_agent(model::ModuleSpec spec);
    // What the agent is made of at first: the configuration and the environment of agent-and-daemon.md 5.6.
    [[nodiscard]] model::ModuleSpec bootstrap_spec(const KnownIdentity& agent) const;

    // The agent first, then all others at once.
    [[nodiscard]] Task<> stop_all();
    [[nodiscard]] Task<> remove_all();
    [[nodiscard]] Task<> close();

    [[nodiscard]] engine::Engine& engine() { return engine_; }

private:
    struct Sockets {
        std::unique_ptr<UnixServer> workload;
        std::unique_ptr<UnixServer> management;
    };

    [[nodiscard]] Result<model::ModuleSpec> completed(model::ModuleSpec spec);
    [[nodiscard]] Task<Result<>> create_and_serve(model::ModuleSpec spec);
    [[nodiscard]] Task<Result<>> start_served(std::string name);
    [[nodiscard]] Task<Result<>> remove_served(std::string name);
    [[nodiscard]] Task<Result<bool>> make_agent_again();
    [[nodiscard]] Task<Result<>> make_bootstrap_agent(bool in_place);
    [[nodiscard]] Result<> serve(const std::string& name);
    [[nodiscard]] Result<std::unique_ptr<UnixServer>> server(const std::string& module, const std::string& file,
                                                             net::HttpHandler handler, std::size_t most);
    // In the background: the request that asks for it may have come in through one of them.
    void close_sockets(const std::string& name);

    Platform platform_;
    const Config& config_;
    engine::Engine& engine_;
    Identities& identities_;
    WorkloadApi& workload_;
    AgentTrial& trial_;
    net::HttpHandler management_;
    engine::KeyedLock locks_;
    std::map<std::string, Sockets, std::less<>> sockets_;
    TaskScope scope_;
};

}  // namespace skerry::daemon
