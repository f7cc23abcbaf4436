#include "engine/moby/moby_engine.hpp"

#include "base/backoff.hpp"
#include "base/event.hpp"
#include "base/log.hpp"
#include "base/task_scope.hpp"
#include "engine/keyed_lock.hpp"
#include "engine/moby/client.hpp"
#include "engine/moby/container_body.hpp"
#include "engine/spawn.hpp"

#include <fmt/format.h>

#include <map>
#include <system_error>
#include <utility>
#include <vector>

namespace skerry::engine {

namespace {
using namespace std::chrono_literals;
namespace fs = std::filesystem;
namespace json = boost::json;

constexpr Duration usual_grace = 10s;
constexpr Duration pull_is_fresh = 60s;  // a module is prepared, then created: one question is enough
constexpr Duration progress_interval = 10s;
constexpr Duration first_pause = 500ms;
constexpr Duration longest_pause = 15s;
constexpr Duration steady_connection = 30s;
constexpr std::string_view hub_name = "edgeHub";

// What is pulled and run: the pinned digest, if there is one, whatever the tag is by now.
std::string reference_of(const model::ModuleSpec& spec) {
    auto image = moby::with_tag(spec.image);
    if (!spec.digest || spec.digest->empty() || image.find('@') != image.npos) return image;
    return image.substr(0, image.rfind(':')) + '@' + *spec.digest;
}

std::string doing(std::string_view what, const model::ModuleSpec& spec) {
    return fmt::format("{} module '{}' (image {})", what, spec.name, spec.image);
}
std::string doing(std::string_view what, std::string_view name) { return fmt::format("{} module '{}'", what, name); }

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
          pulls_(platform.executor),
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
    Task<> wait_change() override;
    Task<Result<json::array>> statistics() override;
    json::object info() const override { return {{"server_version", version_.server}}; }
    Result<int> listener(const std::string& name, const std::string& file) override;
    Result<std::optional<fs::path>> storage(const std::string& name) override;
    Task<> close() override { co_await scope_.close(); }

private:
    Task<> until_ready();
    Task<Result<>> get_ready();
    Task<> follow_events(WallTime since);
    void take_event(const moby::ContainerEvent& event);
    void note_change();
    Task<Result<>> pull(model::ModuleSpec spec, std::string reference);
    Result<moby::Surroundings> surroundings_of(const model::ModuleSpec& spec);
    Task<Result<>> learn_ids();
    Task<Result<std::string>> id_of(std::string name);
    Task<Result<moby::Container>> look_at(std::string name);

    MobyEngineOptions options_;
    Platform platform_;
    moby::Client client_;
    moby::Version version_;
    KeyedLock pulls_;                          // by image
    std::map<std::string, SteadyTime> fresh_;  // images asked for at their registry within the last minute
    std::map<std::string, std::string, std::less<>> ids_;
    std::uint64_t changes_{0};
    std::uint64_t changes_seen_{0};
    Signal changed_;
    TaskScope scope_;
};

Task<> Moby::open() {
    const auto since = platform_.clock.wall();
    co_await until_ready();
    scope_.spawn("container events", follow_events(since));
}

Task<Result<>> Moby::get_ready() {
    auto version = co_await client_.connect();
    if (!version) co_return std::unexpected(version.error());
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
    for (const auto& container : *containers) ids_[container.name] = container.id;
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
        note_change();
        if (platform_.clock.steady() - began >= steady_connection) backoff.reset();
        co_await platform_.clock.sleep(backoff.next());
        since = platform_.clock.wall();
        co_await until_ready();
        note_change();
    }
}

void Moby::take_event(const moby::ContainerEvent& event) {
    if (event.action == "create" || event.action == "start") ids_[event.name] = event.id;
    if (event.action == "destroy")
        if (const auto known = ids_.find(event.name); known != ids_.end() && known->second == event.id)
            ids_.erase(known);
    note_change();
}

void Moby::note_change() {
    ++changes_;
    changed_.notify();
}

Task<Result<>> Moby::prepare(const model::ModuleSpec& spec) {
    const auto reference = reference_of(spec);
    const auto guard = co_await pulls_.lock(reference);
    const auto now = platform_.clock.steady();
    std::erase_if(fresh_, [&](const auto& entry) { return now - entry.second > pull_is_fresh; });
    const bool pinned = reference.find('@') != reference.npos;
    const bool enough = fresh_.contains(reference) || pinned || spec.pull_policy == model::PullPolicy::never;
    const auto here = co_await client_.find_image(reference);
    if (!here && here.error().code != Errc::not_found)
        co_return fail(here.error().while_doing(doing("preparing", spec)));
    if (here && enough) co_return Result<>{};
    if (!here && spec.pull_policy == model::PullPolicy::never)
        co_return fail(Errc::not_found, fmt::format("{}: the image is not here, and imagePullPolicy forbids to pull it",
                                                    doing("preparing", spec)));
    const auto pulled = co_await pull(spec, reference);
    if (!pulled) {
        const auto code = pulled.error().code;
        const bool said_no = code == Errc::unauthorized || code == Errc::not_found || code == Errc::malformed;
        if (!here || said_no) co_return fail(pulled.error().while_doing(doing("pulling the image of", spec)));
        log::warn("module {}: {} can't be pulled, the one that is here is used: {}", spec.name, reference,
                  pulled.error().text);
    }
    fresh_[reference] = platform_.clock.steady();
    co_return Result<>{};
}

Task<Result<>> Moby::pull(model::ModuleSpec spec, std::string reference) {
    log::info("pulling {} for module {}", reference, spec.name);
    auto told = platform_.clock.steady();
    const auto tell = [&](const moby::PullProgress& progress) {
        if (platform_.clock.steady() - told < progress_interval) return;
        told = platform_.clock.steady();
        log::info("pulling {}: {}", reference, progress.text());
    };
    auto pulled = co_await client_.pull(reference, spec.auth, tell);
    if (pulled) log::info("pulled {}", reference);
    co_return pulled;
}

Result<moby::Surroundings> Moby::surroundings_of(const model::ModuleSpec& spec) {
    const auto& name = spec.name;
    moby::Surroundings out;
    out.image = reference_of(spec);
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

Task<Result<>> Moby::create(const model::ModuleSpec& spec) {
    if (const auto fits = moby::check_container_name(spec.name); !fits) co_return fits;
    const auto surroundings = surroundings_of(spec);
    if (!surroundings) co_return std::unexpected(surroundings.error());
    auto body = moby::make_container_body(spec, *surroundings);
    if (!body) co_return fail(body.error().while_doing(doing("createOptions of", spec)));
    for (const auto& refused : body->warnings)
        log::warn("module {}: {} is refused (allow_elevated_docker_permissions = false)", spec.name, refused);
    if (!options_.network.empty())
        if (auto made = co_await client_.ensure_network(options_.network, options_.network_settings); !made)
            co_return fail(made.error().while_doing(doing("creating", spec)));
    const auto created = co_await client_.create(spec.name, std::move(body->json));
    if (!created) co_return fail(created.error().while_doing(doing("creating", spec)));
    for (const auto& warning : created->warnings) log::warn("module {}: {}", spec.name, warning);
    ids_[spec.name] = created->id;
    note_change();
    co_return Result<>{};
}

Task<Result<>> Moby::start(std::string name) {
    const auto id = co_await id_of(name);
    const auto started = id ? co_await client_.start(*id) : Result<>(std::unexpected(id.error()));
    if (!started) co_return fail(started.error().while_doing(doing("starting", name)));
    co_return Result<>{};
}

Task<Result<>> Moby::stop(std::string name, Duration grace) {
    const auto id = co_await id_of(name);
    const auto stopped = id ? co_await client_.stop(*id, grace) : Result<>(std::unexpected(id.error()));
    if (!stopped) co_return fail(stopped.error().while_doing(doing("stopping", name)));
    co_return Result<>{};
}

Task<Result<>> Moby::remove(std::string name) {
    const auto id = co_await id_of(name);
    if (!id) co_return fail(id.error().while_doing(doing("removing", name)));
    if (const auto stopped = co_await client_.stop(*id, usual_grace); !stopped)
        log::warn("module {} could not be stopped and is killed: {}", name, stopped.error().text);
    const auto removed = co_await client_.remove(*id);
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
        auto container = co_await client_.inspect(id);
        // One that went meanwhile is none; any other trouble must not look like that.
        if (!container && container.error().code == Errc::not_found) continue;
        if (!container) co_return fail(container.error().while_doing(doing("inspecting", name)));
        all.push_back(std::move(container->status));
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
    co_return std::move(container->status);
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

Task<> Moby::wait_change() {
    while (changes_ == changes_seen_) co_await changed_.wait();
    changes_seen_ = changes_;
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
