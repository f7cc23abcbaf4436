#include "engine/process_engine.hpp"

#include "base/log.hpp"
#include "base/task_scope.hpp"
#include "base/timeout.hpp"
#include "engine/bundle.hpp"
#include "engine/cgroup.hpp"
#include "engine/create_options.hpp"
#include "engine/keyed_lock.hpp"
#include "engine/module_logs.hpp"
#include "engine/module_state.hpp"
#include "engine/process.hpp"
#include "engine/spawn.hpp"

#include <boost/json/object.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <system_error>

namespace skerry::engine {

namespace {
using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr std::size_t most_modules = 1024;
constexpr std::size_t most_sockets = 4;
constexpr Duration usual_grace = 10s;
constexpr Duration kill_limit = 10s;

// Names a module's control groups apart from those of other engines on this machine.
std::string group_name(const fs::path& folder) {
    constexpr std::uint64_t fnv_prime = 1099511628211ULL;
    std::uint64_t hash = 14695981039346656037ULL;
    for (const char c : folder.native()) hash = (hash ^ static_cast<unsigned char>(c)) * fnv_prime;
    std::array<char, 17> hex{};
    std::snprintf(hex.data(), hex.size(), "%016llx", static_cast<unsigned long long>(hash));
    return std::string("skerry-") + hex.data();
}

Task<Result<std::string>> read_line(Descriptor& pipe) {
    std::string line;
    for (;;) {
        co_await pipe.wait_readable();
        std::array<char, 512> buffer{};
        const auto got = ::read(pipe.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) co_return fail(Errc::internal, "the module's shim ended without an answer");
        line.append(buffer.data(), static_cast<std::size_t>(got));
        if (const auto end = line.find('\n'); end != line.npos) co_return line.substr(0, end);
        if (line.size() > 64 * 1024) co_return fail(Errc::internal, "the module's shim answers without end");
    }
}

// Also a process that has ended can be opened, until somebody reaps it.
Result<int> open_running(const ProcessId& id) {
    const auto process = open_process(id);
    if (!process || !has_ended(*process)) return process;
    ::close(*process);
    return fail(Errc::not_found, "the process has ended");
}

class Processes final : public Engine {
public:
    Processes(ProcessEngineOptions options, Platform platform)
        : options_(std::move(options)),
          platform_(platform),
          modules_folder_(options_.state / "modules"),
          boot_id_(read_boot_id()),
          locks_(platform.executor),
          changed_(platform.executor),
          scope_(platform.executor) {}

    Result<> load();

    Task<> open() override { co_return; }
    Task<Result<>> prepare(const model::ModuleSpec& spec) override;
    Task<Result<>> create(const model::ModuleSpec& spec) override;
    Task<Result<>> start(std::string name) override;
    Task<Result<>> stop(std::string name, Duration grace) override;
    Task<Result<>> remove(std::string name) override;
    Task<Result<std::vector<model::ModuleStatus>>> list() override;
    Task<Result<model::ModuleStatus>> inspect(std::string name) override;
    Task<Result<>> logs(std::string name, LogOptions options, std::function<Task<bool>(std::string)> on_frame) override;
    bool owns_process(std::string_view name, pid_t process) override;
    std::uint64_t changes() const override { return changes_; }
    Task<> wait_change(std::uint64_t seen) override;
    Task<Result<boost::json::array>> statistics() override { co_return boost::json::array{}; }
    boost::json::object info() const override { return {{"server_version", "processes"}}; }
    Result<int> listener(const std::string& name, const std::string& file) override;
    Result<std::optional<fs::path>> storage(const std::string& name) override;
    Task<> close() override { co_await scope_.close(); }

private:
    using ModulePtr = std::shared_ptr<Module>;  // its watcher and its remover end independently

    Result<ModulePtr> find(std::string_view name);
    Result<> load_module(const fs::path& folder);
    void set_aside(const fs::path& folder, const Error& why);
    void refresh(const ModulePtr& module);
    Task<> watch(ModulePtr module, std::shared_ptr<Descriptor> process);
    void note_change(Module& module);
    Result<Launch> plan_start(Module& module);
    Task<Result<>> start_shim(ModulePtr module);
    Task<Result<>> adopt_busy(ModulePtr module);
    Task<Result<>> end(ModulePtr module, Duration grace);
    Result<> signal_module(Module& module, bool kill);
    void kill_session(const RunRecord& run);
    Task<Result<>> until_ended(ModulePtr module);
    Result<OwnedDescriptor> held_by_shim(const Module& module, const fs::path& path);

    ProcessEngineOptions options_;
    Platform platform_;
    fs::path modules_folder_;
    std::string boot_id_;
    std::map<std::string, ModulePtr, std::less<>> modules_;
    KeyedLock locks_;
    std::uint64_t changes_{0};
    Signal changed_;
    TaskScope scope_;
};

Result<> Processes::load() {
    if (const auto made = platform_.files.make_folders(modules_folder_, 0700); !made) return made;
    const auto names = platform_.files.list(modules_folder_);
    if (!names) return std::unexpected(names.error());
    for (const auto& name : *names) {
        if (!name.starts_with("m-")) continue;
        if (const auto loaded = load_module(modules_folder_ / name); !loaded)
            set_aside(modules_folder_ / name, loaded.error());
    }
    return {};
}

Result<> Processes::load_module(const fs::path& folder) {
    auto spec = load_spec(platform_.files, folder);
    if (!spec) return std::unexpected(spec.error());
    const auto module = std::make_shared<Module>(std::move(*spec), folder, platform_.executor);
    modules_[module->spec.name] = module;
    refresh(module);
    return {};
}

// A module that can't be read must not run on unseen beside one that takes its name.
void Processes::set_aside(const fs::path& folder, const Error& why) {
    const auto run = load_run(platform_.files, folder);
    if (run && run->boot_id == boot_id_)
        if (const auto shim = open_process(run->shim)) {
            const OwnedDescriptor owned(*shim);
            static_cast<void>(send_signal(owned.get(), SIGUSR1));
        }
    std::error_code ignored;
    if (why.code == Errc::not_found) {  // a removal, or a creation, that a crash cut short
        fs::remove_all(folder, ignored);
        return;
    }
    const auto aside = modules_folder_ / ("damaged-" + folder.filename().native() + '-' +
                                          std::to_string(unix_seconds(platform_.clock.wall())));
    fs::rename(folder, aside, ignored);
    log::error("a module's state can't be read and was moved to {}: {}", aside.native(), why.text);
}

Result<Processes::ModulePtr> Processes::find(std::string_view name) {
    const auto found = modules_.find(name);
    if (found == modules_.end()) return fail(Errc::not_found, "no module '" + std::string(name) + "'");
    return found->second;
}

void Processes::note_change(Module& module) {
    ++changes_;
    module.changed.notify();
    changed_.notify();
}

// Brings `alive` and `run` up to date when the process that was watched has ended, or none was watched yet.
void Processes::refresh(const ModulePtr& module) {
    if (module->process && !has_ended(module->process->get())) return;
    const auto before = module->alive;
    if (module->run) ::waitpid(module->run->shim.pid, nullptr, WNOHANG);
    module->process.reset();
    module->alive = Alive::no;
    module->run = load_run(platform_.files, module->folder);
    if (module->run && module->run->exited_ns == 0 && module->run->boot_id == boot_id_) {
        auto process = open_running(module->run->shim);
        const auto kind = process ? Alive::shim : Alive::orphan;
        if (!process) process = open_running(module->run->main);
        auto watched = process ? Descriptor::adopt(platform_.executor, *process)
                               : Result<Descriptor>(std::unexpected(process.error()));
        if (watched) {
            module->alive = kind;
            module->process = std::make_shared<Descriptor>(std::move(*watched));
            scope_.spawn("watch " + module->spec.name, watch(module, module->process));
        }
    }
    if (module->alive != before) note_change(*module);
}

Task<> Processes::watch(ModulePtr module, std::shared_ptr<Descriptor> process) {
    co_await process->wait_readable();
    refresh(module);
}

Task<Result<>> Processes::prepare(const model::ModuleSpec& spec) {
    const auto bundle = find_bundle(platform_.files, options_.bundles, spec.image);
    if (!bundle) co_return std::unexpected(bundle.error());
    if (const auto options = parse_create_options(spec.create_options); !options)
        co_return fail(options.error().while_doing("module '" + spec.name + "': createOptions"));
    co_return Result<>{};
}

Task<Result<>> Processes::create(const model::ModuleSpec& spec) {
    const auto folder_name = folder_of(spec.name);
    if (!folder_name) co_return std::unexpected(folder_name.error());
    if (const auto options = parse_create_options(spec.create_options); !options)
        co_return fail(options.error().while_doing("module '" + spec.name + "': createOptions"));
    if (const auto bundle = find_bundle(platform_.files, options_.bundles, spec.image); !bundle)
        co_return std::unexpected(bundle.error());
    const auto guard = co_await locks_.lock(spec.name);
    if (modules_.contains(spec.name)) co_return fail(Errc::conflict, "module '" + spec.name + "' exists already");
    if (modules_.size() >= most_modules)
        co_return fail(Errc::full, "there are " + std::to_string(most_modules) + " modules already: remove some");
    const auto folder = modules_folder_ / *folder_name;
    std::error_code ignored;
    fs::remove_all(folder, ignored);
    if (const auto made = platform_.files.make_folders(folder, 0700); !made) co_return made;
    if (const auto saved = save_spec(platform_.files, folder, spec); !saved) co_return saved;
    if (const auto synced = platform_.files.sync_folder(modules_folder_); !synced) co_return synced;
    modules_[spec.name] = std::make_shared<Module>(spec, folder, platform_.executor);
    note_change(*modules_[spec.name]);
    co_return Result<>{};
}

Result<Launch> Processes::plan_start(Module& module) {
    const auto bundle = find_bundle(platform_.files, options_.bundles, module.spec.image);
    if (!bundle) return std::unexpected(bundle.error());
    const auto options = parse_create_options(module.spec.create_options);
    if (!options) return std::unexpected(options.error());
    auto launch = make_launch(*bundle, module.spec.env, *options, platform_.files);
    if (!launch) return launch;
    launch->folder = module.folder.native();
    launch->log_bytes = options_.log_bytes;
    if (options_.socket_folder) launch->socket_folder = options_.socket_folder(module.spec.name).native();
    for (const auto& [file, socket] : module.sockets) launch->sockets.push_back(launch->socket_folder + '/' + file);
    auto limits = limit_module(options_.proc, options->limits, group_name(module.folder));
    launch->cgroup_procs = std::move(limits.procs);
    launch->notes = std::move(limits.problems);
    return launch;
}

Task<Result<>> Processes::start(std::string name) {
    const auto guard = co_await locks_.lock(name);
    const auto module = find(name);
    if (!module) co_return std::unexpected(module.error());
    refresh(*module);
    if ((*module)->alive != Alive::no) co_return Result<>{};
    const auto started = co_await start_shim(*module);
    if (!started) co_return fail(started.error().while_doing("starting module '" + name + "'"));
    co_return Result<>{};
}

Task<Result<>> Processes::start_shim(ModulePtr module) {
    const auto launch = plan_start(*module);
    if (!launch) co_return std::unexpected(launch.error());
    std::vector<int> sockets;
    for (const auto& [file, socket] : module->sockets) sockets.push_back(socket.get());
    auto spawned = spawn_shim(options_.shim, *launch, sockets);
    if (!spawned) co_return std::unexpected(spawned.error());
    auto pipe = Descriptor::adopt(platform_.executor, spawned->answer.release());
    if (!pipe) co_return std::unexpected(pipe.error());
    const auto answer = co_await with_timeout<std::string>(platform_.clock, 30s, read_line(*pipe));
    refresh(module);
    note_change(*module);
    // A shim that refused and made no record ends at once, and nobody else would reap it.
    const bool refused = answer ? *answer != "ok" : answer.error().code != Errc::timeout;
    const bool has_record = module->run && module->run->shim.pid == spawned->pid;
    if (refused && !has_record) ::waitpid(spawned->pid, nullptr, 0);
    if (!answer) co_return fail(answer.error().while_doing("waiting for its shim"));
    if (*answer == "ok") co_return Result<>{};
    if (*answer == "busy") co_return co_await adopt_busy(module);
    co_return fail(Errc::malformed, answer->starts_with("error ") ? answer->substr(6) : *answer);
}

// Another shim has the module: one that an engine started and did not live to see.
Task<Result<>> Processes::adopt_busy(ModulePtr module) {
    for (int i = 0; i < 20; ++i) {
        refresh(module);
        if (module->alive != Alive::no) co_return Result<>{};
        co_await platform_.clock.sleep(100ms);
    }
    co_return fail(Errc::conflict, "another process holds " + (module->folder / "lock").native() +
                                       " and does not say what it runs; end it and try again");
}

Task<Result<>> Processes::stop(std::string name, Duration grace) {
    const auto guard = co_await locks_.lock(name);
    const auto module = find(name);
    if (!module) co_return std::unexpected(module.error());
    const auto ended = co_await end(*module, grace);
    if (!ended) co_return fail(ended.error().while_doing("stopping module '" + name + "'"));
    co_return Result<>{};
}

Task<Result<>> Processes::end(ModulePtr module, Duration grace) {
    refresh(module);
    if (module->alive == Alive::no) co_return Result<>{};
    grace = grace_of(module->spec.create_options).value_or(grace);
    if (grace > Duration::zero()) {
        if (const auto sent = signal_module(*module, false); !sent && sent.error().code != Errc::not_found)
            co_return sent;
        const auto ended = co_await with_timeout<void>(platform_.clock, grace, until_ended(module));
        if (ended || ended.error().code != Errc::timeout) co_return ended;
        log::warn("module {} did not stop within its grace: it is killed", module->spec.name);
    }
    if (const auto sent = signal_module(*module, true); !sent && sent.error().code != Errc::not_found) co_return sent;
    co_return co_await with_timeout<void>(platform_.clock, kill_limit, until_ended(module));
}

// Through the shim, which knows its children; an orphan is signalled directly.
Result<> Processes::signal_module(Module& module, bool kill) {
    if (!module.process) return {};
    if (module.alive == Alive::shim) return send_signal(module.process->get(), kill ? SIGUSR1 : SIGTERM);
    if (kill)
        kill_session(*module.run);
    else if (!has_ended(module.process->get()))
        ::kill(-module.run->main.pid, SIGTERM);
    return {};
}

void Processes::kill_session(const RunRecord& run) {
    for (const pid_t pid : all_processes()) {
        const auto stat = read_process_stat(pid);
        if (stat && stat->session == run.main.pid && stat->start_ticks >= run.main.start_ticks) ::kill(pid, SIGKILL);
    }
}

Task<Result<>> Processes::until_ended(ModulePtr module) {
    for (;;) {
        const bool orphan = module->alive == Alive::orphan;
        refresh(module);
        if (module->alive == Alive::no) {
            if (orphan && module->run) kill_session(*module->run);
            co_return Result<>{};
        }
        co_await module->changed.wait();
        if (orphan && module->alive == Alive::no && module->run) kill_session(*module->run);
    }
}

Task<Result<>> Processes::remove(std::string name) {
    const auto guard = co_await locks_.lock(name);
    const auto found = find(name);
    if (!found) co_return std::unexpected(found.error());
    const auto module = *found;
    if (const auto ended = co_await end(module, usual_grace); !ended)
        co_return fail(ended.error().while_doing("removing module '" + name + "'"));
    // The spec first: a folder without one is what a crash left of a removal.
    if (const auto removed = platform_.files.remove(module->folder / "spec.json"); !removed) co_return removed;
    if (const auto synced = platform_.files.sync_folder(module->folder); !synced) co_return synced;
    std::error_code ignored;
    fs::remove_all(module->folder, ignored);
    if (options_.socket_folder) fs::remove_all(options_.socket_folder(name), ignored);
    if (const auto options = parse_create_options(module->spec.create_options))
        remove_cgroups(limit_module(options_.proc, options->limits, group_name(module->folder)).folders);
    modules_.erase(name);
    note_change(*module);
    co_return Result<>{};
}

Task<Result<std::vector<model::ModuleStatus>>> Processes::list() {
    std::vector<model::ModuleStatus> all;
    for (const auto& [name, module] : modules_) {
        refresh(module);
        all.push_back(status_of(module->spec, module->run, module->alive, boot_id_));
    }
    co_return all;
}

Task<Result<model::ModuleStatus>> Processes::inspect(std::string name) {
    const auto module = find(name);
    if (!module) co_return std::unexpected(module.error());
    refresh(*module);
    co_return status_of((*module)->spec, (*module)->run, (*module)->alive, boot_id_);
}

Task<Result<>> Processes::logs(std::string name, LogOptions options, std::function<Task<bool>(std::string)> on_frame) {
    const auto module = find(name);
    if (!module) co_return std::unexpected(module.error());
    co_return co_await send_logs(platform_, *module, std::move(options), std::move(on_frame));
}

bool Processes::owns_process(std::string_view name, pid_t process) {
    const auto module = find(name);
    if (!module) return false;
    refresh(*module);
    switch ((*module)->alive) {
        case Alive::no: return false;
        case Alive::shim: return process != (*module)->run->shim.pid && descends_from(process, (*module)->run->shim);
        case Alive::orphan: return descends_from(process, (*module)->run->main);
    }
    return false;
}

Task<> Processes::wait_change(std::uint64_t seen) {
    while (changes_ == seen) co_await changed_.wait();
}

Result<OwnedDescriptor> Processes::held_by_shim(const Module& module, const fs::path& path) {
    if (module.alive != Alive::shim) return fail(Errc::not_found, "no shim holds it");
    const auto& held = module.run->sockets;
    for (std::size_t i = 0; i < held.size(); ++i) {
        if (held[i] != path.native()) continue;
        const auto copy = copy_descriptor(module.process->get(), first_socket_descriptor + static_cast<int>(i));
        if (!copy) return std::unexpected(copy.error());
        return OwnedDescriptor(*copy);
    }
    return fail(Errc::not_found, "its shim does not hold it");
}

Result<int> Processes::listener(const std::string& name, const std::string& file) {
    const auto found = find(name);
    if (!found) return std::unexpected(found.error());
    auto& module = **found;
    refresh(*found);
    if (const auto open = module.sockets.find(file); open != module.sockets.end()) return open->second.copy();
    if (!options_.socket_folder) return fail(Errc::unsupported, "this engine was given no folder for sockets");
    if (module.sockets.size() >= most_sockets) return fail(Errc::full, "a module has 4 sockets at most");
    const auto folder = options_.socket_folder(name);
    auto socket = held_by_shim(module, folder / file);
    if (!socket) {
        if (socket.error().code != Errc::not_found)
            log::warn("module {}: its socket can't be taken over and is made anew: {}", name, socket.error().text);
        if (const auto made = platform_.files.make_folders(folder, 0755); !made) return std::unexpected(made.error());
        socket = listen_at(folder / file);
    }
    if (!socket) return std::unexpected(socket.error());
    auto& kept = module.sockets[file];
    kept = std::move(*socket);
    return kept.copy();
}

Result<std::optional<fs::path>> Processes::storage(const std::string& name) {
    if (!options_.storage_folder) return std::nullopt;
    auto folder = options_.storage_folder(name);
    if (const auto made = platform_.files.make_folders(folder, 0700); !made) return std::unexpected(made.error());
    return folder;
}
}  // namespace

Result<std::unique_ptr<Engine>> make_process_engine(ProcessEngineOptions options, Platform platform) {
    auto engine = std::make_unique<Processes>(std::move(options), platform);
    if (const auto loaded = engine->load(); !loaded) return fail(loaded.error().while_doing("loading the modules"));
    return engine;
}

}  // namespace skerry::engine
