#include "engine/moby/moby_engine.hpp"

#include "base/backoff.hpp"
#include "base/event.hpp"
#include "base/log.hpp"
#include "base/task_scope.hpp"
#include "engine/moby/client.hpp"
#include "engine/moby/container_body.hpp"
#include "engine/moby/fields.hpp"
#include "engine/moby/images.hpp"
#include "engine/moby/status_cache.hpp"
#include "engine/spawn.hpp"

#include <fmt/format.h>
#include <boost/json/serialize.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace skerry::engine {

namespace {
using namespace std::chrono_literals;
namespace fs = std::filesystem;
namespace json = boost::json;

constexpr Duration usual_grace = 10s;
constexpr Duration first_pause = 500ms;
constexpr Duration longest_pause = 15s;
constexpr Duration steady_connection = 30s;
constexpr std::string_view hub_name = "edgeHub";

std::string doing(std::string_view what, const model::ModuleSpec& spec) {
    return fmt::format("{} module '{}' (image {})", what, spec.name, spec.image);
}
std::string doing(std::string_view what, std::string_view name) { return fmt::format("{} module '{}'", what, name); }

// After a restart of the engine in the middle of a start ("task 5dc6…: already exists"): its containerd keeps the old
// one.
bool holds_on_to_former_run(const Error& error) {
    return error.text.find("task ") != std::string::npos && error.text.find(": already exists") != std::string::npos;
}

// A terminal's output has no frames: each piece becomes one of standard output.
Task<bool> framed(const std::function<Task<bool>(std::string)>& on_frame, std::string piece) {
    std::string frame("\1\0\0\0", 4);
    for (const int shift : {24, 16, 8, 0}) frame.push_back(static_cast<char>(piece.size() >> shift & 0xff));
    co_return co_await on_frame(frame + piece);
}

class Moby final : public Engine {
public:
    Moby(MobyEngineOptions options, Platform platform)
        : options_(std::move(options)),
          platform_(platform),
          client_(platform.network, platform.clock, options_.socket),
          images_(client_, platform, options_.on_image_use, options_.signatures),
          changed_(platform.executor),
          scope_(platform.executor) {}

    Task<> open() override;
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
    Task<Result<json::array>> statistics() override;
    Task<Result<json::object>> describe(std::string name) override;
    Task<Result<json::array>> describe_networks() override { return client_.describe_networks(); }
    json::object info() const override { return {{"server_version", version_.server}}; }
    Result<int> listener(const std::string& name, const std::string& file) override;
    Result<std::optional<fs::path>> storage(const std::string& name) override;
    ImageStore* images() override { return &images_; }
    Task<> close() override { co_await scope_.close(); }

private:
    Task<> until_ready();
    Task<Result<>> get_ready();
    Task<> follow_events(WallTime since);
    void take_event(const moby::ContainerEvent& event);
    void note_change();
    Result<moby::Surroundings> surroundings_of(const model::ModuleSpec& spec);
    Task<Result<>> try_out(model::ModuleSpec spec);
    Task<> clear_trials();
    Task<Result<>> stop_in_order(std::string id, Duration grace);
    Task<Result<moby::Created>> create_with_bounded_log(model::ModuleSpec spec, moby::Surroundings surroundings);
    void note_use(const std::string& image);
    void note_if_stuck(const std::string& id, model::ModuleStatus& status) const;
    Task<Result<>> learn_ids();
    Task<Result<std::string>> id_of(std::string name);
    Task<Result<moby::Container>> look_at(std::string name);

    MobyEngineOptions options_;
    Platform platform_;
    moby::Client client_;
    moby::Version version_;
    moby::Images images_;
    std::optional<bool> bounds_logs_;  // the engine itself; absent: not known yet
    std::map<std::string, std::string, std::less<>> ids_;
    std::map<std::string, std::string> tried_out_;  // by module: what the engine would make of it; one for each of ids_
    moby::StatusCache known_;
    std::set<std::string> stuck_;  // ids, of those that are there
    std::uint64_t changes_{0};
    Signal changed_;
    TaskScope scope_;
};

Task<> Moby::open() {
    const auto since = platform_.clock.wall();
    co_await until_ready();
    co_await clear_trials();
    scope_.spawn("container events", follow_events(since));
}

// Of a process that was killed between making and removing one.
Task<> Moby::clear_trials() {
    const auto left = co_await client_.containers_with(std::string(moby::trial_label));
    if (!left) co_return;
    for (const auto& container : *left)
        if (const auto removed = co_await client_.remove(container.id); !removed)
            log::warn("a container of a former trial can't be removed: {}", removed.error().text);
}

Task<Result<>> Moby::get_ready() {
    auto version = co_await client_.connect();
    if (!version) co_return std::unexpected(version.error());
    auto info = co_await client_.info();
    if (!info) co_return std::unexpected(info.error());
    images_.learn(*info);
    bounds_logs_ = info->log_driver == "json-file" ? std::nullopt : std::optional(true);
    if (!options_.network.empty())
        if (auto made = co_await client_.ensure_network(options_.network, options_.network_settings); !made)
            co_return made;
    if (auto learnt = co_await learn_ids(); !learnt) co_return learnt;
    if (version_ != *version)
        log::info("container engine {} at unix://{}, API {}", version->server, options_.socket.native(),
                  moby::api_to_speak(*version));
    version_ = std::move(*version);
    co_return Result<>{};
}

Task<Result<>> Moby::learn_ids() {
    const auto containers = co_await client_.containers();
    if (!containers) co_return std::unexpected(containers.error());
    ids_.clear();
    std::map<std::string, std::string> looks;
    for (const auto& container : *containers) {
        ids_[container.name] = container.id;
        looks[container.id] = container.look;
    }
    std::erase_if(stuck_, [&](const std::string& id) { return !looks.contains(id); });
    known_.listed(std::move(looks));
    co_return Result<>{};
}

// Everything is done by id, and only to containers that are ours: a module's name reaches no other container.
Task<Result<std::string>> Moby::id_of(std::string name) {
    if (!ids_.contains(name))
        if (const auto learnt = co_await learn_ids(); !learnt) co_return std::unexpected(learnt.error());
    const auto known = ids_.find(name);
    if (known == ids_.end()) co_return fail(Errc::not_found, fmt::format("no module '{}'", name));
    co_return known->second;
}

// Says what it waits for when that changes, and every few minutes.
Task<> Moby::until_ready() {
    constexpr Duration reminder = 5min;
    Backoff backoff(platform_.random, first_pause, longest_pause);
    std::string told;
    auto told_at = platform_.clock.steady();
    for (;;) {
        const auto ready = co_await get_ready();
        if (ready) break;
        if (ready.error().text != told || platform_.clock.steady() - told_at >= reminder) {
            log::warn("waiting for the container engine: {}", ready.error().text);
            told = ready.error().text;
            told_at = platform_.clock.steady();
        }
        co_await platform_.clock.sleep(backoff.next());
    }
    if (!told.empty()) log::info("the container engine answers");
}

// Whatever happened while no connection was there is found by looking again: hence note_change after each new start.
Task<> Moby::follow_events(WallTime since) {
    Backoff backoff(platform_.random, first_pause, longest_pause);
    for (;;) {
        const auto began = platform_.clock.steady();
        const auto ended =
            co_await client_.events(since, [this](const moby::ContainerEvent& event) { take_event(event); });
        log::warn("the container engine's events ended: {}", ended.error().text);
        known_.clear();
        note_change();
        if (platform_.clock.steady() - began >= steady_connection) backoff.reset();
        co_await platform_.clock.sleep(backoff.next());
        since = platform_.clock.wall();
        co_await until_ready();
        known_.clear();
        note_change();
    }
}

void Moby::take_event(const moby::ContainerEvent& event) {
    known_.forget(event.id);
    if (event.action == "create" || event.action == "start") ids_[event.name] = event.id;
    if (event.action == "destroy" || event.action == "remove")
        if (const auto known = ids_.find(event.name); known != ids_.end() && known->second == event.id)
            ids_.erase(known);
    note_change();
}

void Moby::note_change() {
    ++changes_;
    changed_.notify();
}

Result<moby::Surroundings> Moby::surroundings_of(const model::ModuleSpec& spec) {
    const auto& name = spec.name;
    moby::Surroundings out;
    if (options_.socket_folder) {
        const auto folder = options_.socket_folder(name);
        if (const auto made = platform_.files.make_folders(folder, 0755); !made) return std::unexpected(made.error());
        out.socket_folder = folder.native();
    }
    if (const auto kept = options_.storage_folder ? options_.storage_folder(name) : std::nullopt)
        out.storage = kept->native();
    out.network = options_.network;
    if (name == hub_name && !options_.host_name.empty()) out.aliases.push_back(options_.host_name);
    out.may_be_elevated = options_.may_be_elevated;
    return out;
}

Task<Result<>> Moby::prepare(const model::ModuleSpec& spec) {
    if (const auto fits = moby::check_container_name(spec.name); !fits) co_return fits;
    if (const auto body = moby::make_container_body(spec, {}); !body)
        co_return fail(body.error().while_doing("createOptions").while_doing(doing("preparing", spec)));
    if (auto ready = co_await images_.prepare(spec); !ready) co_return ready;
    if (!ids_.contains(spec.name)) co_return Result<>{};
    co_return co_await try_out(spec);
}

// Only the engine knows all that it refuses: so it makes such a container, which is nobody's and is removed at once,
// before the one that is to be replaced is.
Task<Result<>> Moby::try_out(model::ModuleSpec spec) {
    auto surroundings = surroundings_of(spec);
    if (!surroundings) co_return std::unexpected(surroundings.error());
    auto image = co_await images_.reference_to_run(spec);
    if (!image) co_return fail(image.error().while_doing(doing("preparing", spec)));
    surroundings->image = std::move(*image);
    auto body = moby::make_container_body(spec, *surroundings);
    if (!body) co_return fail(body.error().while_doing(doing("preparing", spec)));
    (*moby::find_member(body->json, "Labels")) = json::object{{moby::trial_label, spec.name}};
    auto text = json::serialize(body->json);
    if (const auto known = tried_out_.find(spec.name); known != tried_out_.end() && known->second == text)
        co_return Result<>{};
    const auto made = co_await client_.create({}, std::move(body->json));
    // What is not found may be another module that comes before this one.
    if (!made && made.error().code == Errc::not_found) co_return Result<>{};
    if (!made) co_return fail(made.error().while_doing(doing("preparing", spec)));
    if (const auto removed = co_await client_.remove(made->id); !removed)
        log::warn("the container {} that was made to try out module {} can't be removed: {}", made->id, spec.name,
                  removed.error().text);
    std::erase_if(tried_out_, [this](const auto& entry) { return !ids_.contains(entry.first); });
    tried_out_[spec.name] = std::move(text);
    co_return Result<>{};
}

Task<Result<>> Moby::create(const model::ModuleSpec& spec) {
    if (const auto fits = moby::check_container_name(spec.name); !fits) co_return fits;
    auto surroundings = surroundings_of(spec);
    if (!surroundings) co_return std::unexpected(surroundings.error());
    auto image = co_await images_.reference_to_run(spec);
    if (!image) co_return fail(image.error().while_doing(doing("creating", spec)));
    surroundings->image = std::move(*image);
    if (!options_.network.empty())
        if (auto made = co_await client_.ensure_network(options_.network, options_.network_settings); !made)
            co_return fail(made.error().while_doing(doing("creating", spec)));
    const auto created = co_await create_with_bounded_log(spec, std::move(*surroundings));
    if (!created) co_return fail(created.error().while_doing(doing("creating", spec)));
    for (const auto& warning : created->warnings) log::warn("module {}: {}", spec.name, warning);
    ids_[spec.name] = created->id;
    note_change();
    co_return Result<>{};
}

// The engine does not say whether its own configuration (daemon.json) bounds logs. The first container that it makes
// tells: if its log has no bound, that one is made again with ours, and all later ones get it at once.
Task<Result<moby::Created>> Moby::create_with_bounded_log(model::ModuleSpec spec, moby::Surroundings surroundings) {
    for (;;) {
        if (bounds_logs_ == false) surroundings.limits = options_.log_limits;
        auto body = moby::make_container_body(spec, surroundings);
        if (!body) co_return fail(body.error().while_doing("createOptions"));
        auto created = co_await client_.create(spec.name, std::move(body->json));
        if (!created) co_return created;
        created->warnings.insert(created->warnings.begin(), body->warnings.begin(), body->warnings.end());
        const auto made = co_await client_.inspect(created->id);
        if (made) note_use(made->status.image_hash);
        if (!made || bounds_logs_ || body->chooses_log || !options_.log_limits) co_return created;
        bounds_logs_ = made->log_driver != "json-file" || made->log_bounded;
        if (*bounds_logs_) co_return created;
        if (const auto removed = co_await client_.remove(created->id); !removed) co_return fail(removed.error());
    }
}

void Moby::note_use(const std::string& image) {
    if (options_.on_image_use && !image.empty()) options_.on_image_use(image, ImageUse::used);
}

Task<Result<>> Moby::start(std::string name) {
    const auto id = co_await id_of(name);
    if (!id) co_return fail(id.error().while_doing(doing("starting", name)));
    auto started = co_await client_.start(*id);
    if (!started && started.error().code == Errc::conflict) {
        const auto container = co_await client_.inspect(*id);
        if (container && container->paused) started = co_await client_.unpause(*id);
    }
    known_.forget(*id);
    if (started) co_return Result<>{};
    if (holds_on_to_former_run(started.error())) {
        stuck_.insert(*id);
        note_change();
    }
    co_return fail(started.error().while_doing(doing("starting", name)));
}

// To be made anew: such a container never starts again.
void Moby::note_if_stuck(const std::string& id, model::ModuleStatus& status) const {
    if (!stuck_.contains(id) || status.state == model::RuntimeState::running) return;
    status.state = model::RuntimeState::dead;
    status.description = "the engine holds on to a former run of it and can't start it any more";
}

Task<Result<>> Moby::stop(std::string name, Duration grace) {
    const auto id = co_await id_of(name);
    const auto stopped = id ? co_await stop_in_order(*id, grace) : Result<>(std::unexpected(id.error()));
    if (id) known_.forget(*id);
    if (!stopped) co_return fail(stopped.error().while_doing(doing("stopping", name)));
    co_return Result<>{};
}

Task<Result<>> Moby::stop_in_order(std::string id, Duration grace) {
    const auto container = co_await client_.inspect(id);
    const auto own = container ? container->grace : std::nullopt;
    co_return co_await client_.stop(std::move(id), own.value_or(grace));
}

Task<Result<>> Moby::remove(std::string name) {
    const auto id = co_await id_of(name);
    if (!id) co_return fail(id.error().while_doing(doing("removing", name)));
    if (const auto stopped = co_await stop_in_order(*id, usual_grace); !stopped)
        log::warn("module {} could not be stopped and is killed: {}", name, stopped.error().text);
    const auto container = co_await client_.inspect(*id);
    const auto removed = co_await client_.remove(*id);
    if (container) note_use(container->status.image_hash);
    if (!removed && removed.error().code != Errc::not_found)
        co_return fail(removed.error().while_doing(doing("removing", name)));
    if (const auto known = ids_.find(name); known != ids_.end() && known->second == *id) ids_.erase(known);
    std::error_code ignored;
    if (options_.socket_folder) fs::remove_all(options_.socket_folder(name), ignored);
    note_change();
    co_return Result<>{};
}

Task<Result<std::vector<model::ModuleStatus>>> Moby::list() {
    if (const auto learnt = co_await learn_ids(); !learnt)
        co_return fail(learnt.error().while_doing("listing the modules"));
    std::vector<model::ModuleStatus> all;
    for (const auto& [name, id] : std::map(ids_.begin(), ids_.end())) {
        if (const auto* known = known_.find(id, platform_.clock.steady())) {
            note_if_stuck(id, all.emplace_back(*known));
            continue;
        }
        const auto mark = known_.mark();
        auto container = co_await client_.inspect(id);
        // One that went meanwhile is none; any other trouble must not look like that.
        if (!container && container.error().code == Errc::not_found) continue;
        if (!container) co_return fail(container.error().while_doing(doing("inspecting", name)));
        known_.put(id, mark, container->status, platform_.clock.steady());
        note_if_stuck(id, all.emplace_back(std::move(container->status)));
    }
    co_return all;
}

// A container that is gone while its event is still under way is looked for once more, by its name.
Task<Result<moby::Container>> Moby::look_at(std::string name) {
    for (bool again = false;; again = true) {
        const auto id = co_await id_of(name);
        if (!id) co_return std::unexpected(id.error());
        auto container = co_await client_.inspect(*id);
        if (container || container.error().code != Errc::not_found || again) co_return container;
        ids_.erase(name);
    }
}

Task<Result<model::ModuleStatus>> Moby::inspect(std::string name) {
    auto container = co_await look_at(name);
    if (!container) co_return fail(container.error().while_doing(doing("inspecting", name)));
    note_if_stuck(container->id, container->status);
    co_return std::move(container->status);
}

Task<Result<json::object>> Moby::describe(std::string name) {
    const auto id = co_await id_of(name);
    if (!id) co_return fail(id.error().while_doing(doing("describing", name)));
    auto described = co_await client_.describe(*id);
    if (!described) co_return fail(described.error().while_doing(doing("describing", name)));
    co_return described;
}

Task<Result<>> Moby::logs(std::string name, LogOptions options, std::function<Task<bool>(std::string)> on_frame) {
    const auto container = co_await look_at(name);
    if (!container) co_return fail(container.error().while_doing(doing("reading the log of", name)));
    auto taker = on_frame;
    if (container->tty) taker = [&on_frame](std::string piece) { return framed(on_frame, std::move(piece)); };
    const auto sent = co_await client_.logs(container->id, std::move(options), std::move(taker));
    if (!sent) co_return fail(sent.error().while_doing(doing("reading the log of", name)));
    co_return Result<>{};
}

// By the container's id in the process's control groups: "/docker/<id>", "/system.slice/docker-<id>.scope",
// "/machine.slice/libpod-<id>.scope/container".
bool Moby::owns_process(std::string_view name, pid_t process) {
    constexpr std::size_t most = 64 * 1024;
    const auto known = ids_.find(name);
    if (known == ids_.end()) return false;
    const auto path = options_.proc / std::to_string(process) / "cgroup";
    const auto file = platform_.files.open(path, storage::Files::Mode::read);
    if (!file) return false;
    std::string groups;
    const auto got = (*file)->read_at(0, most, groups);
    return got && std::string_view(groups).substr(0, *got).find(known->second) != std::string_view::npos;
}

Task<> Moby::wait_change(std::uint64_t seen) {
    while (changes_ == seen) co_await changed_.wait();
}

Task<Result<json::array>> Moby::statistics() {
    const auto containers = co_await client_.containers();
    if (!containers) co_return fail(containers.error().while_doing("measuring the modules"));
    json::array all;
    for (const auto& listed : *containers)
        if (auto measured = co_await client_.statistics(listed.id)) all.push_back(std::move(*measured));
    co_return all;
}

Result<int> Moby::listener(const std::string& name, const std::string& file) {
    if (!options_.socket_folder) return fail(Errc::unsupported, "this engine was given no folder for sockets");
    const auto folder = options_.socket_folder(name);
    if (const auto made = platform_.files.make_folders(folder, 0755); !made) return std::unexpected(made.error());
    auto socket = listen_at(folder / file);
    if (!socket) return std::unexpected(socket.error());
    return socket->release();
}

Result<std::optional<fs::path>> Moby::storage(const std::string& name) {
    const auto folder = options_.storage_folder ? options_.storage_folder(name) : std::nullopt;
    if (!folder) return std::nullopt;
    if (const auto made = platform_.files.make_folders(*folder, 0700); !made) return std::unexpected(made.error());
    return fs::path(moby::inner_storage);
}
}  // namespace

std::unique_ptr<Engine> make_moby_engine(MobyEngineOptions options, Platform platform) {
    return std::make_unique<Moby>(std::move(options), platform);
}

}  // namespace skerry::engine
