// For tests: a device in one thread and on virtual time: a daemon with modules, a hub with a twin, and the agent
// between them, which can be killed and booted again.
#pragma once

#include "agent/supervisor.hpp"
#include "agent/twin_sync.hpp"
#include "base/task_scope.hpp"

#include <boost/json/object.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace skerry::sim {
class TemporaryFolder;
class World;
}  // namespace skerry::sim

namespace skerry::agent::testing {

// The daemon: keeps modules, writes down what it was asked.
class FakeDaemon final : public ModuleRuntime {
public:
    FakeDaemon(Clock& clock, Executor executor) : clock_(clock), released_(executor), changed_(std::move(executor)) {}

    bool away{false};
    bool tells{true};               // when its modules change
    bool hub_away{false};           // identities can't be made
    std::set<std::string> refused;  // "prepare filter": fails
    std::set<std::string> slow;     // "prepare filter": hangs until release()
    std::map<std::string, model::ModuleStatus> modules;
    std::map<std::string, model::ModuleSpec> specs;  // as last created or updated
    std::map<std::string, daemonapi::IdentityEntry> ids;
    std::map<std::string, int> crashing;      // by image or id: modules of it end with that code as soon as they start
    std::map<std::string, std::string> tags;  // image -> the id that it has now, if it was moved
    std::map<std::string, Errc> missing;      // by image: why it can't be had
    std::map<std::string, std::string> logs;  // by module

    std::vector<std::string> calls;  // without list
    std::size_t looks{0};

    void add_agent(std::string image);
    void crash(const std::string& module, int exit_code);
    void set_health(const std::string& module, model::Health health);
    void release() {
        slow.clear();
        let_go();
    }
    // Those that are not slow any more.
    void let_go() { released_.notify(); }
    [[nodiscard]] std::vector<std::string> take_calls() { return std::exchange(calls, {}); }
    [[nodiscard]] std::size_t count(const std::string& call) const;
    [[nodiscard]] bool running(const std::string& module) const;

    Task<Result<daemonapi::ModuleList>> list() override;
    Task<Result<bool>> wait_change(std::string tag) override;
    Task<Result<>> prepare(model::ModuleSpec spec) override;
    Task<Result<>> create(model::ModuleSpec spec) override;
    Task<Result<>> update(model::ModuleSpec spec, bool start) override;
    Task<Result<>> start(std::string name) override;
    Task<Result<>> stop(std::string name) override;
    Task<Result<>> restart(std::string name) override;
    Task<Result<>> remove(std::string name) override;
    Task<Result<std::vector<daemonapi::IdentityEntry>>> identities() override;
    Task<Result<daemonapi::IdentityEntry>> create_identity(std::string module_id) override;
    Task<Result<>> delete_identity(std::string module_id) override;
    Task<Result<boost::json::object>> system_info() override;
    Task<Result<boost::json::object>> resources() override;
    Task<Result<std::string>> log_tail(std::string name, int lines) override;

private:
    [[nodiscard]] Task<Result<>> asked(std::string call);
    [[nodiscard]] std::string tag() const;
    [[nodiscard]] std::string image_of(const model::ModuleSpec& spec) const;
    void put(const model::ModuleSpec& spec, bool start);
    void run(model::ModuleStatus& module);

    Clock& clock_;
    Signal released_;
    Event changed_;
};

// The hub's side of the twin.
class FakeHub final : public TwinLink {
public:
    bool online{false};
    bool unreadable{false};  // asking for the twin fails
    boost::json::object desired;
    boost::json::object reported;
    std::int64_t version{0};
    std::size_t reads{0};
    std::size_t largest_report{32 * 1024};
    std::vector<boost::json::object> patches;

    bool connected() const override { return online; }
    Task<Result<boost::json::object>> get_twin() override;
    Task<Result<>> report(boost::json::object patch) override;

    [[nodiscard]] int code() const;
    [[nodiscard]] std::string description() const;
    // "modules.filter.runtimeStatus" as text; "" when absent.
    [[nodiscard]] std::string at(std::string_view path) const;
};

class XorSeal final : public Seal {
public:
    bool away{false};
    bool tells{true};  // when its modules change
    Task<Result<std::string>> encrypt(std::string plaintext, std::string iv) override;
    Task<Result<std::string>> decrypt(std::string ciphertext, std::string iv) override;
};

class World {
public:
    World();
    ~World();

private:
    std::unique_ptr<sim::World> virtual_;
    std::unique_ptr<sim::TemporaryFolder> disk_;

public:
    [[nodiscard]] Executor executor();
    [[nodiscard]] Clock& clock();
    void run_for(Duration duration);
    void jump_wall(Duration by);

    FakeDaemon daemon;
    FakeHub hub;
    XorSeal seal;
    std::unique_ptr<storage::Files> files{storage::make_system_files()};
    std::filesystem::path folder;  // the device's disk
    Settings settings;
    DeviceFacts facts;
    std::function<void(Duration)> on_deployed;

    void boot();  // a new agent process
    void kill();  // it ends without a word
    void stop();  // it ends in order

    void go_online();
    void go_offline() { hub.online = false; }
    // A whole new manifest: on the hub, and as a patch to the agent when it is online.
    void deploy(boost::json::object manifest);
    // The same, but what the agent is sent is the new manifest and not what is gone of the old one.
    void replace(boost::json::object manifest);
    // The twin changed while nobody listened, or the patch was lost.
    void change_quietly(boost::json::object manifest);

    [[nodiscard]] Supervisor& supervisor() { return life_->supervisor; }

private:
    struct Life {
        Life(World& world);
        Store store;
        Supervisor supervisor;
        TwinSync sync;
        TaskScope scope;
    };
    std::unique_ptr<Life> life_;
};

// A manifest with edgeHub and these modules: {"filter": {"env": {…}, "restartPolicy": …, "image": …}}.
[[nodiscard]] boost::json::object manifest_of(boost::json::object modules);

}  // namespace skerry::agent::testing
