#include "agent/world_test.hpp"

#include "base/timeout.hpp"
#include "model/twin.hpp"
#include "sim/temporary_folder.hpp"
#include "sim/world.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <stdexcept>

namespace skerry::agent::testing {

namespace json = boost::json;

namespace {
Task<Result<>> told(Event& event) {
    co_await event.wait();
    co_return Result<>{};
}
}  // namespace

void FakeDaemon::add_agent(std::string image) {
    auto& agent = modules["edgeAgent"];
    agent.name = "edgeAgent";
    agent.image = std::move(image);
    agent.create_options = {
        {"Labels", json::object{{std::string(agent_options_label), "{}"}, {std::string(agent_env_label), "{}"}}}};
    run(agent);
}

void FakeDaemon::run(model::ModuleStatus& module) {
    changed_.set();
    module.state = model::RuntimeState::running;
    module.started = clock_.wall();
    module.health = model::Health::none;
    auto crashes = crashing.find(module.image);
    if (crashes == crashing.end()) crashes = crashing.find(module.image_hash);
    if (crashes == crashing.end()) return;
    module.state = crashes->second == 0 ? model::RuntimeState::stopped : model::RuntimeState::failed;
    module.exit_code = crashes->second;
    module.exited = clock_.wall();
}

void FakeDaemon::set_health(const std::string& module, model::Health health) {
    modules.at(module).health = health;
    changed_.set();
}

void FakeDaemon::crash(const std::string& module, int exit_code) {
    auto& status = modules.at(module);
    status.state = exit_code == 0 ? model::RuntimeState::stopped : model::RuntimeState::failed;
    status.exit_code = exit_code;
    status.exited = clock_.wall();
    changed_.set();
}

std::size_t FakeDaemon::count(const std::string& call) const {
    return static_cast<std::size_t>(std::ranges::count(calls, call));
}

bool FakeDaemon::running(const std::string& module) const {
    const auto found = modules.find(module);
    return found != modules.end() && found->second.state == model::RuntimeState::running;
}

Task<Result<>> FakeDaemon::asked(std::string call) {
    if (away) co_return fail(Errc::unreachable, "connection refused");
    calls.push_back(call);
    while (slow.contains(call)) co_await released_.wait();
    if (refused.contains(call)) co_return fail(Errc::io, "refused for the test");
    co_return Result<>{};
}

Task<Result<daemonapi::ModuleList>> FakeDaemon::list() {
    if (away) co_return fail(Errc::unreachable, "connection refused");
    ++looks;
    daemonapi::ModuleList all{.modules = {}, .tag = tells ? tag() : std::string()};
    for (const auto& [name, module] : modules) all.modules.push_back(module);
    co_return all;
}

std::string FakeDaemon::tag() const {
    std::string text;
    for (const auto& [name, module] : modules) text += json::serialize(daemonapi::to_json(module));
    return text;
}

Task<Result<bool>> FakeDaemon::wait_change(std::string tag) {
    using namespace std::chrono_literals;
    if (!tells) co_return fail(Errc::internal, "the agent was not told that this daemon can wait");
    for (const auto until = clock_.steady() + 1min; clock_.steady() < until;) {
        if (away) co_return fail(Errc::unreachable, "connection reset");
        if (tag != this->tag()) co_return true;
        changed_.reset();
        static_cast<void>(co_await with_timeout<void>(clock_, 2s, told(changed_)));  // tests set `away` and `modules`
    }
    co_return false;
}

Task<Result<>> FakeDaemon::prepare(model::ModuleSpec spec) {
    const auto result = co_await asked("prepare " + spec.name);
    if (!result) co_return result;
    const bool here = std::ranges::any_of(specs, [&](const auto& entry) { return entry.second.image == spec.image; });
    const auto why = missing.find(spec.image);
    if (why != missing.end() && !(here && spec.pull_policy == model::PullPolicy::never))
        co_return fail(why->second, "no image " + spec.image);
    co_return result;
}

std::string FakeDaemon::image_of(const model::ModuleSpec& spec) const {
    const auto* labels = spec.create_options.if_contains("Labels");
    const auto* chosen = labels == nullptr ? nullptr : labels->as_object().if_contains(image_label);
    if (chosen != nullptr) return std::string(chosen->as_string());
    const auto moved = tags.find(spec.image);
    return moved == tags.end() ? "first " + spec.image : moved->second;
}

void FakeDaemon::put(const model::ModuleSpec& spec, bool start) {
    model::ModuleStatus status;
    status.name = spec.name;
    status.image = spec.image;
    status.image_hash = image_of(spec);
    status.create_options = spec.create_options;
    status.state = model::RuntimeState::stopped;
    if (start) run(status);
    modules[spec.name] = status;
    specs[spec.name] = spec;
    changed_.set();
}

Task<Result<>> FakeDaemon::create(model::ModuleSpec spec) {
    const auto result = co_await asked("create " + spec.name);
    if (!result) co_return result;
    if (modules.contains(spec.name)) co_return fail(Errc::conflict, "the module exists");
    put(spec, false);
    co_return result;
}

Task<Result<>> FakeDaemon::update(model::ModuleSpec spec, bool start) {
    const auto result = co_await asked((start ? "update and start " : "update ") + spec.name);
    if (result) put(spec, start);
    co_return result;
}

Task<Result<>> FakeDaemon::start(std::string name) {
    const auto result = co_await asked("start " + name);
    if (result && !running(name)) run(modules.at(name));
    co_return result;
}

Task<Result<>> FakeDaemon::stop(std::string name) {
    const auto result = co_await asked("stop " + name);
    if (result) crash(name, 0);
    co_return result;
}

Task<Result<>> FakeDaemon::restart(std::string name) {
    const auto result = co_await asked("restart " + name);
    if (result) run(modules.at(name));
    co_return result;
}

Task<Result<>> FakeDaemon::remove(std::string name) {
    const auto result = co_await asked("remove " + name);
    if (result && modules.erase(name) > 0) changed_.set();
    co_return result;
}

Task<Result<std::vector<daemonapi::IdentityEntry>>> FakeDaemon::identities() {
    if (away) co_return fail(Errc::unreachable, "connection refused");
    std::vector<daemonapi::IdentityEntry> all;
    for (const auto& [id, entry] : ids) all.push_back(entry);
    co_return all;
}

Task<Result<daemonapi::IdentityEntry>> FakeDaemon::create_identity(std::string module_id) {
    const auto result = co_await asked("create identity " + module_id);
    if (!result) co_return fail(result.error());
    if (hub_away) co_return fail(Errc::unreachable, "no route to the hub");
    daemonapi::IdentityEntry entry{.module_id = module_id, .managed_by = "iotedge", .generation_id = "g-" + module_id};
    ids[module_id] = entry;
    co_return entry;
}

Task<Result<>> FakeDaemon::delete_identity(std::string module_id) {
    const auto result = co_await asked("delete identity " + module_id);
    if (!result) co_return result;
    if (hub_away) co_return fail(Errc::unreachable, "no route to the hub");
    ids.erase(module_id);
    co_return result;
}

Task<Result<json::object>> FakeDaemon::system_info() {
    co_return json::object{{"osType", "linux"}, {"architecture", "x86_64"}, {"version", "9.9"}};
}

Task<Result<json::object>> FakeDaemon::resources() { co_return json::object{{"host_uptime", 12}}; }

Task<Result<std::string>> FakeDaemon::log_tail(std::string name, int lines) {
    if (away) co_return fail(Errc::unreachable, "connection refused");
    const auto found = logs.find(name);
    if (found == logs.end() || lines <= 0) co_return std::string();
    std::string frame("\1\0\0\0\0\0", 6);
    frame.push_back(static_cast<char>(found->second.size() >> 8));
    frame.push_back(static_cast<char>(found->second.size() & 0xff));
    co_return frame + found->second;
}

Task<Result<json::object>> FakeHub::get_twin() {
    ++reads;
    if (unreadable) co_return fail(Errc::timeout, "no answer");
    auto whole = desired;
    whole["$version"] = version;
    auto mine = reported;
    mine["$version"] = 77;
    co_return json::object{{"desired", std::move(whole)}, {"reported", std::move(mine)}};
}

Task<Result<>> FakeHub::report(json::object patch) {
    if (!online) co_return fail(Errc::unreachable, "not connected");
    if (const auto valid = model::validate_reported(patch); !valid) co_return valid;
    auto merged = reported;
    model::merge_patch(merged, patch);
    if (json::serialize(merged).size() > largest_report) co_return fail(Errc::malformed, "the twin is too large");
    reported = std::move(merged);
    patches.push_back(std::move(patch));
    co_return Result<>{};
}

std::string FakeHub::at(std::string_view path) const {
    const json::value whole(reported);
    const json::value* value = &whole;
    while (value != nullptr && !path.empty()) {
        const auto dot = path.find('.');
        const auto* object = value->if_object();
        value = object == nullptr ? nullptr : object->if_contains(path.substr(0, dot));
        path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
    }
    if (value == nullptr) return {};
    return value->is_string() ? std::string(value->as_string()) : json::serialize(*value);
}

int FakeHub::code() const {
    const auto text = at("lastDesiredStatus.code");
    return text.empty() ? 0 : std::stoi(text);
}

std::string FakeHub::description() const { return at("lastDesiredStatus.description"); }

Task<Result<std::string>> XorSeal::encrypt(std::string plaintext, std::string iv) {
    if (away) co_return fail(Errc::unreachable, "connection refused");
    for (auto& byte : plaintext) byte = static_cast<char>(byte ^ iv.at(0) ^ 0x55);
    co_return plaintext;
}

Task<Result<std::string>> XorSeal::decrypt(std::string ciphertext, std::string iv) {
    co_return co_await encrypt(std::move(ciphertext), std::move(iv));
}

World::Life::Life(World& world)
    : store(*world.files, world.virtual_->random(), world.seal, world.folder / "edgeAgent"),
      supervisor({.settings = world.settings,
                  .facts = world.facts,
                  .runtime = world.daemon,
                  .store = store,
                  .clock = world.clock(),
                  .executor = world.executor(),
                  .own_generation = "g-agent",
                  .version = "1.2.3",
                  .on_state_changed = [this] { sync.state_changed(); },
                  .on_deployed = world.on_deployed}),
      sync(world.hub, world.clock(), world.executor(), world.settings.refresh,
           {.on_desired = [this](const json::object& desired,
                                 std::int64_t version) { supervisor.take_desired(desired, version); },
            .make_report = [this](bool compact) { return supervisor.report(compact); }}),
      scope(world.executor()) {
    scope.spawn("supervision", supervisor.keep_running());
    scope.spawn("watching", supervisor.keep_watching());
    scope.spawn("saving", supervisor.keep_saving());
    scope.spawn("reading", sync.keep_reading());
    scope.spawn("reporting", sync.keep_reporting());
}

Executor World::executor() { return virtual_->executor(); }
Clock& World::clock() { return virtual_->clock(); }
void World::run_for(Duration duration) { virtual_->run_for(duration); }
void World::jump_wall(Duration by) { virtual_->clock().jump_wall(by); }

World::World()
    : virtual_(std::make_unique<sim::World>()),
      disk_(std::make_unique<sim::TemporaryFolder>()),
      daemon(clock(), executor()) {
    folder = disk_->path();
    facts.device_id = "d";
    facts.hub_host = "hub.example";
    facts.device_host = "edge.example";
    facts.management_uri = "unix:///mgmt";
    facts.api_version = "2022-08-03";
    facts.log_level = "debug";
    daemon.add_agent("agent:1");
}

World::~World() { kill(); }

void World::boot() {
    life_ = std::make_unique<Life>(*this);
    if (hub.online) go_online();
    virtual_->settle();
}

namespace {

Task<> end(TaskScope& scope, Supervisor& supervisor) {
    co_await scope.close();
    co_await supervisor.close();
}

Task<> say(TwinSync& sync) { static_cast<void>(co_await sync.say_farewell()); }

}  // namespace

void World::kill() {
    if (!life_) return;
    TaskScope ending(executor());
    ending.spawn("end", end(life_->scope, life_->supervisor));
    virtual_->settle();
    life_.reset();
}

void World::stop() {
    TaskScope ending(executor());
    ending.spawn("end", end(life_->scope, life_->supervisor));
    virtual_->settle();
    ending.spawn("farewell", say(life_->sync));
    virtual_->settle();
    life_.reset();
}

void World::go_online() {
    hub.online = true;
    if (!life_) return;
    life_->sync.connected();
    life_->supervisor.cloud_is_back();
}

void World::change_quietly(json::object manifest) {
    hub.desired = std::move(manifest);
    ++hub.version;
}

void World::deploy(json::object manifest) {
    auto patch = model::diff(hub.desired, manifest);
    change_quietly(std::move(manifest));
    patch["$version"] = hub.version;
    if (life_ && hub.online) life_->sync.patched(patch);
}

void World::replace(json::object manifest) {
    auto told = manifest;
    change_quietly(std::move(manifest));
    told["$version"] = hub.version;
    if (life_ && hub.online) life_->sync.patched(told);
}

json::object manifest_of(json::object modules) {
    const auto complete = [](json::object module, std::string_view name) {
        const json::object defaults{{"type", "docker"}, {"status", "running"}, {"restartPolicy", "always"}};
        for (const auto& member : defaults)
            if (!module.contains(member.key())) module[member.key()] = member.value();
        auto& settings = module["settings"];
        if (!settings.is_object()) settings.emplace_object();
        if (!settings.as_object().contains("image")) settings.as_object()["image"] = std::string(name) + ":1";
        return module;
    };
    for (auto& member : modules) member.value() = complete(member.value().as_object(), member.key());
    return {
        {"schemaVersion", "1.1"},
        {"runtime", json::object{{"type", "docker"}, {"settings", json::object{{"minDockerVersion", "v1.25"}}}}},
        {"systemModules",
         json::object{{"edgeAgent", json::object{{"type", "docker"}, {"settings", json::object{{"image", "agent:1"}}}}},
                      {"edgeHub", complete({}, "hub")}}},
        {"modules", std::move(modules)}};
}

}  // namespace skerry::agent::testing
