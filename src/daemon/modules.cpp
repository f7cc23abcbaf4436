#include "daemon/modules.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "base/timeout.hpp"
#include "crypto/crypto.hpp"
#include "daemonapi/management_client.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <sys/un.h>

#include <algorithm>
#include <array>
#include <utility>

namespace skerry::daemon {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {
constexpr Duration stop_grace = 10s;
constexpr Duration identity_limit = 5s;
constexpr std::string_view agent_name = "edgeAgent";
constexpr std::string_view hub_name = "edgeHub";
constexpr std::string_view workload_file = "workload.sock";
constexpr std::string_view management_file = "mgmt.sock";

bool sets_variable(const model::ModuleSpec& spec, std::string_view name) {
    if (std::ranges::any_of(spec.env, [&](const auto& entry) { return equals_ignoring_case(entry.first, name); }))
        return true;
    const auto* const list = spec.create_options.if_contains("Env");
    if (list == nullptr || !list->is_array()) return false;
    return std::ranges::any_of(list->get_array(), [&](const boost::json::value& entry) {
        if (!entry.is_string()) return false;
        const std::string_view text = entry.get_string();
        return equals_ignoring_case(text.substr(0, text.find('=')), name);
    });
}
// The hub, in the same network, has port 9600 already; and nobody asked for a port that all the world can reach.
void set_for_host_process(model::ModuleSpec& spec) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 3> defaults{
        {{"metrics__listener__host", "127.0.0.1"},
         {"metrics__listener__port", "9601"},
         {"SKERRY_HUB_METRICS", "http://127.0.0.1:9600/metrics"}}};
    for (const auto& [name, value] : defaults)
        if (!sets_variable(spec, name)) spec.env[std::string(name)] = value;
}
}  // namespace

fs::path socket_folder(const fs::path& home, std::string_view module) {
    constexpr std::size_t digits = 12;
    return home / "mnt" / hex_encode(crypto::sha256(module)).substr(0, digits);
}

fs::path storage_folder(const fs::path& home, std::string_view module) {
    auto name = std::string(module);
    if (name.starts_with('.')) name.insert(name.begin(), '_');
    return home / "storage" / name;
}

bool keeps_state(std::string_view module) { return module == agent_name || module == hub_name; }

Result<> check_home(const fs::path& home) {
    const auto longest = (socket_folder(home, agent_name) / workload_file).native().size();
    constexpr auto limit = sizeof(sockaddr_un::sun_path) - 1;
    if (longest <= limit) return {};
    return fail(Errc::malformed, "skerry.home: " + home.native() +
                                     " is too deep: the paths of its sockets would have " + std::to_string(longest) +
                                     " bytes, and the system's limit is " + std::to_string(limit) +
                                     "; use a folder whose path has " +
                                     std::to_string(limit - (longest - home.native().size())) + " bytes at most");
}

Modules::Modules(Platform platform, const Config& config, engine::Engine& engine, Identities& identities,
                 WorkloadApi& workload, AgentTrial& trial, net::HttpHandler management)
    : platform_(platform),
      config_(config),
      engine_(engine),
      identities_(identities),
      workload_(workload),
      trial_(trial),
      management_(std::move(management)),
      locks_(platform.executor),
      scope_(platform.executor) {}

Task<> Modules::open_sockets() {
    const auto modules = co_await engine_.list();
    for (const auto& module : modules.value_or(std::vector<model::ModuleStatus>{}))
        if (const auto served = serve(module.name); !served)
            log::error("the workload socket of module {} can't be served: {}", module.name, served.error().text);
}

Result<std::unique_ptr<UnixServer>> Modules::server(const std::string& module, const std::string& file,
                                                    net::HttpHandler handler, std::size_t most) {
    const auto descriptor = engine_.listener(module, file);
    if (!descriptor) return std::unexpected(descriptor.error());
    auto listener = platform_.network.adopt_unix(*descriptor);
    if (!listener) return std::unexpected(listener.error());
    return std::make_unique<UnixServer>(platform_, module + '/' + file, std::move(*listener), std::move(handler), most);
}

Result<> Modules::serve(const std::string& name) {
    auto& sockets = sockets_[name];
    if (!sockets.workload) {
        auto made = server(
            name, std::string(workload_file),
            [this, name](codec::HttpRequest request, const net::Peer& peer) {
                return workload_.handle(std::move(request), peer.process, name);
            },
            config_.workload_connections);
        if (!made) return std::unexpected(made.error());
        sockets.workload = std::move(*made);
    }
    if (name == agent_name && !sockets.management) {
        auto made = server(name, std::string(management_file), management_, config_.management_connections);
        if (!made) return std::unexpected(made.error());
        sockets.management = std::move(*made);
    }
    return {};
}

namespace {
Task<> end_server(std::unique_ptr<UnixServer> server) { co_await server->close(); }
}  // namespace

void Modules::close_sockets(const std::string& name) {
    const auto found = sockets_.find(name);
    if (found == sockets_.end()) return;
    for (auto* const server : {&found->second.workload, &found->second.management})
        if (*server) scope_.spawn("close a socket of " + name, end_server(std::move(*server)));
    sockets_.erase(found);
}

// The environment that only the daemon knows. The engine rewrites the addresses where a module can't have
// /var/run/iotedge.
Result<model::ModuleSpec> Modules::completed(model::ModuleSpec spec) {
    spec.env["IOTEDGE_WORKLOADURI"] = "unix:///var/run/iotedge/workload.sock";
    if (spec.name == agent_name) spec.env["IOTEDGE_MANAGEMENTURI"] = "unix:///var/run/iotedge/mgmt.sock";
    if (spec.name == agent_name && !config_.moby) set_for_host_process(spec);
    const auto storage = engine_.storage(spec.name);
    if (!storage) return std::unexpected(storage.error());
    if (!*storage) return spec;
    if (!sets_variable(spec, "HOME")) spec.env["HOME"] = (*storage)->native();
    if (keeps_state(spec.name) && !sets_variable(spec, "StorageFolder"))
        spec.env["StorageFolder"] = (*storage)->native();
    return spec;
}

Task<Result<>> Modules::prepare(model::ModuleSpec spec) { co_return co_await engine_.prepare(spec); }

Task<Result<>> Modules::create(model::ModuleSpec spec) {
    const auto guard = co_await locks_.lock(spec.name);
    co_return co_await create_and_serve(std::move(spec));
}

Task<Result<>> Modules::create_and_serve(model::ModuleSpec spec) {
    const auto name = spec.name;
    const auto complete = completed(std::move(spec));
    if (!complete) co_return std::unexpected(complete.error());
    if (complete->pull_policy != model::PullPolicy::never)
        if (const auto ready = co_await engine_.prepare(*complete); !ready) co_return ready;
    if (const auto created = co_await engine_.create(*complete); !created) co_return created;
    co_return serve(name);
}

Task<Result<>> Modules::start(std::string name) {
    const auto guard = co_await locks_.lock(name);
    co_return co_await start_served(std::move(name));
}

Task<Result<>> Modules::start_served(std::string name) {
    if (const auto served = serve(name); !served) co_return served;
    // So that its first token needs no hub. It may start without: the hub may be away.
    const auto identity = co_await with_timeout<KnownIdentity>(platform_.clock, identity_limit,
                                                               identities_.ensure(identity_of_module(name)));
    if (!identity) log::warn("module {} starts without a known identity: {}", name, identity.error().text);
    co_return co_await engine_.start(name);
}

Task<Result<>> Modules::stop(std::string name) {
    const auto guard = co_await locks_.lock(name);
    co_return co_await engine_.stop(name, stop_grace);
}

Task<Result<>> Modules::restart(std::string name) {
    const auto guard = co_await locks_.lock(name);
    if (const auto stopped = co_await engine_.stop(name, stop_grace); !stopped) co_return stopped;
    co_return co_await start_served(name);
}

Task<Result<>> Modules::remove(std::string name) {
    const auto guard = co_await locks_.lock(name);
    co_return co_await remove_served(name);
}

Task<Result<>> Modules::remove_served(std::string name) {
    if (const auto removed = co_await engine_.remove(name); !removed) co_return removed;
    close_sockets(name);
    co_return Result<>{};
}

Task<Result<>> Modules::update(model::ModuleSpec spec, bool start) {
    const auto guard = co_await locks_.lock(spec.name);
    const auto name = spec.name;
    const auto there = co_await engine_.inspect(name);
    if (!there) co_return std::unexpected(there.error());
    if (const auto ready = co_await engine_.prepare(spec); !ready) co_return ready;
    if (name == agent_name) trial_.replaced(spec, there->image_hash);
    if (const auto removed = co_await remove_served(name); !removed) {
        if (name == agent_name) trial_.undone();
        co_return removed;
    }
    if (const auto created = co_await create_and_serve(std::move(spec)); !created) {
        if (name == agent_name) trial_.give_up("it could not be made: " + created.error().text);
        co_return created;
    }
    if (name == agent_name) trial_.begun();
    if (!start) co_return Result<>{};
    co_return co_await start_served(name);
}

model::ModuleSpec Modules::bootstrap_spec(const KnownIdentity& agent) const {
    auto spec = config_.agent;
    auto& env = spec.env;
    env["EdgeDeviceHostName"] = config_.hostname;
    env["IOTEDGE_APIVERSION"] = daemonapi::api_version;
    env["IOTEDGE_AUTHSCHEME"] = "sasToken";
    env["IOTEDGE_DEVICEID"] = config_.device_id;
    env["IOTEDGE_IOTHUBHOSTNAME"] = config_.hub_host;
    if (!config_.parent_hostname.empty()) env["IOTEDGE_GATEWAYHOSTNAME"] = config_.parent_hostname;
    env["IOTEDGE_MODULEID"] = "$edgeAgent";
    env["IOTEDGE_MODULEGENERATIONID"] = agent.generation;
    env["IOTEDGE_WORKLOADLISTEN_MNTURI"] = "unix://" + (config_.home / "mnt").native();
    env["Mode"] = "iotedged";
    env["NetworkId"] = config_.moby ? config_.moby->network : "azure-iot-edge";
    auto& labels = spec.create_options["Labels"];
    if (!labels.is_object()) labels = boost::json::object();
    labels.get_object()["net.azure-devices.edge.create-options"] = "{}";
    labels.get_object()["net.azure-devices.edge.env"] = "{}";
    return spec;
}

Task<Result<bool>> Modules::ensure_agent(bool anew) {
    const std::string name(agent_name);
    const auto guard = co_await locks_.lock(name);
    const auto status = co_await engine_.inspect(name);
    if (!status && status.error().code != Errc::not_found) co_return std::unexpected(status.error());
    if (status && !anew && status->state == model::RuntimeState::running) co_return true;
    bool there = status.has_value();
    const bool broken =
        there && (status->state == model::RuntimeState::dead || status->state == model::RuntimeState::unknown);
    if (broken && !anew) {
        if (const auto removed = co_await remove_served(name); !removed) co_return std::unexpected(removed.error());
        there = false;
    }
    bool made = there && !anew;
    if (!there && !anew) {
        const auto again = co_await make_agent_again();
        if (!again) co_return std::unexpected(again.error());
        made = *again;
    }
    if (!made)
        if (const auto first = co_await make_bootstrap_agent(there); !first) co_return std::unexpected(first.error());
    if (const auto started = co_await start_served(name); !started) co_return std::unexpected(started.error());
    co_return false;
}

// Somebody removed it, it is broken, or the power went when it was about to be replaced: what it was (to be) made of
// counts, for the configuration may name an agent of years ago. False: that is not known, or does not work.
Task<Result<bool>> Modules::make_agent_again() {
    auto spec = trial_.current();
    if (!spec) co_return false;
    const auto identity = co_await with_timeout<KnownIdentity>(platform_.clock, identity_limit,
                                                               identities_.ensure(identity_of_module(agent_name)));
    if (identity) spec->env["IOTEDGE_MODULEGENERATIONID"] = identity->generation;
    const auto created = co_await create_and_serve(std::move(*spec));
    if (created) co_return true;
    if (created.error().code == Errc::unreachable) co_return std::unexpected(created.error());
    if (!trial_.on_trial()) {
        log::warn("the agent can't be made as it was: {}; that of the configuration is started instead",
                  created.error().text);
        co_return false;
    }
    trial_.give_up("it could not be made: " + created.error().text);
    co_return std::unexpected(created.error());
}

Task<Result<>> Modules::make_bootstrap_agent(bool in_place) {
    const auto identity = co_await identities_.ensure("$edgeAgent");
    if (!identity) co_return std::unexpected(identity.error());
    const auto spec = bootstrap_spec(*identity);
    if (const auto ready = co_await engine_.prepare(spec); !ready) co_return ready;
    if (in_place)
        if (const auto removed = co_await remove_served(spec.name); !removed) co_return removed;
    if (const auto created = co_await create_and_serve(spec); !created) co_return created;
    trial_.made(spec);
    co_return Result<>{};
}

Task<Result<>> Modules::replace_agent(model::ModuleSpec spec) {
    const std::string name(agent_name);
    const auto guard = co_await locks_.lock(name);
    if (const auto ready = co_await engine_.prepare(spec); !ready) co_return ready;
    if (co_await engine_.inspect(name))
        if (const auto removed = co_await remove_served(name); !removed) co_return removed;
    if (const auto created = co_await create_and_serve(std::move(spec)); !created) co_return created;
    co_return co_await start_served(name);
}

namespace {
Task<> stop_one(engine::Engine& engine, std::string name) {
    if (const auto stopped = co_await engine.stop(name, stop_grace); !stopped) log::warn("{}", stopped.error().text);
}
}  // namespace

Task<> Modules::stop_all() {
    const auto modules = co_await engine_.list();
    if (!modules) co_return;
    co_await stop_one(engine_, std::string(agent_name));
    TaskScope scope(platform_.executor);
    for (const auto& module : *modules)
        if (module.name != agent_name) scope.spawn("stop " + module.name, stop_one(engine_, module.name));
    co_await scope.idle();
}

Task<> Modules::remove_all() {
    co_await stop_all();
    const auto modules = co_await engine_.list();
    for (const auto& module : modules.value_or(std::vector<model::ModuleStatus>{}))
        if (const auto removed = co_await remove(module.name); !removed) log::error("{}", removed.error().text);
}

Task<> Modules::close() {
    while (!sockets_.empty()) close_sockets(std::string(sockets_.begin()->first));
    co_await scope_.idle();
}

}  // namespace skerry::daemon
