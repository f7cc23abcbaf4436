// The engine against one that goes and comes back: HTTP over a (simulated) unix socket, in virtual time.
#include "engine/moby/moby_engine.hpp"

#include "net/http.hpp"
#include "sim/temporary_folder.hpp"
#include "sim/world.hpp"

#include <doctest/doctest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <deque>
#include <map>
#include <optional>

using namespace skerry;
using namespace skerry::engine;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {
constexpr auto socket_path = "/run/docker.sock";

// An engine that knows containers by name, and tells what happens to them.
class FakeEngine {
public:
    explicit FakeEngine(sim::World& world) : world_(world) {}

    std::map<std::string, std::string> containers;  // name -> id
    std::vector<std::string> asked;
    std::string status{"running"};                            // of all
    std::optional<std::pair<unsigned, std::string>> refusal;  // of starts
    std::size_t followers{0};

    void start() {
        auto listener = world_.network().listen_unix(socket_path, 0600);
        REQUIRE(listener);
        listener_ = std::move(*listener);
        scope_ = std::make_unique<TaskScope>(world_.executor());
        scope_->spawn("accept", accept());
    }
    void stop() {
        listener_->close();
        world_.run(scope_->close());
        followers = 0;
    }
    void make(const std::string& name, const std::string& id) { containers[name] = id; }
    void tell(const std::string& action, const std::string& name) {
        lines_.push_back(
            json::serialize(json::object{{"Action", action},
                                         {"Actor", {{"ID", containers[name]}, {"Attributes", {{"name", name}}}}}}) +
            "\n");
        told_.notify();
    }
    // The connection that events came over ends, and nothing else.
    void end_events() {
        ending_ = true;
        told_.notify();
        world_.settle();
        ending_ = false;
    }

private:
    Task<> accept() {
        for (;;) {
            auto stream = co_await listener_->accept();
            if (!stream) co_return;
            scope_->spawn("serve", serve(std::move(*stream)));
        }
    }
    Task<> serve(std::unique_ptr<net::Stream> stream) {
        const net::HttpHandler handler = [this](codec::HttpRequest request, const net::Peer&) {
            return answer(std::move(request));
        };
        co_await net::serve_http(*stream, world_.clock(), handler);
    }
    Task<codec::HttpResponse> answer(codec::HttpRequest request) {
        codec::HttpResponse out;
        const auto path = std::string(request.raw_path());
        asked.push_back(request.target);
        if (path == "/version")
            out.body = R"({"Version": "20.10", "ApiVersion": "1.41", "MinAPIVersion": "1.12"})";
        else if (path == "/v1.41/info")
            out.body = R"({"LoggingDriver": "journald"})";
        else if (path == "/v1.41/networks")
            out.body = R"([{"Name": "azure-iot-edge"}])";
        else if (path == "/v1.41/containers/json")
            out.body = request.target.find("trial") == std::string::npos ? listed() : "[]";
        else if (path == "/v1.41/events")
            out.next_chunk = [this] { return next_event(); };
        else
            inspect(path, out);
        if (path == "/v1.41/events") ++followers;
        co_return out;
    }
    std::string listed() const {
        json::array all;
        for (const auto& [name, id] : containers) all.push_back({{"Id", id}, {"Names", {"/" + name}}});
        return json::serialize(all);
    }
    void inspect(const std::string& path, codec::HttpResponse& out) const {
        for (const auto& [name, id] : containers)
            if (path == "/v1.41/containers/" + id + "/json") {
                out.body = json::serialize(
                    json::object{{"Id", id},
                                 {"Name", "/" + name},
                                 {"State", {{"Status", status}, {"Paused", status == "paused"}, {"ExitCode", 0}}}});
                return;
            } else if (path == "/v1.41/containers/" + id + "/start" && refusal) {
                out.status = refusal->first;
                out.body = json::serialize(json::object{{"message", refusal->second}});
                return;
            } else if (path == "/v1.41/containers/" + id + "/unpause") {
                out.status = 204;
                return;
            }
        out.status = 404;
        out.body = R"({"message": "No such container"})";
    }
    Task<std::optional<std::string>> next_event() {
        while (lines_.empty() && !ending_) co_await told_.wait();
        if (lines_.empty()) co_return std::nullopt;
        auto line = std::move(lines_.front());
        lines_.pop_front();
        co_return line;
    }

    sim::World& world_;
    std::unique_ptr<net::Listener> listener_;
    std::unique_ptr<TaskScope> scope_;
    Signal told_{world_.executor()};
    std::deque<std::string> lines_;
    bool ending_{false};
};

Task<> count_changes(Engine& engine, int& changes) {
    for (auto seen = engine.changes();; seen = engine.changes()) {
        co_await engine.wait_change(seen);
        ++changes;
    }
}
Task<> open_into(Engine& engine, bool& opened) {
    co_await engine.open();
    opened = true;
}

struct Fixture {
    sim::World world;
    FakeEngine fake{world};
    std::unique_ptr<storage::Files> files{storage::make_system_files()};
    sim::TemporaryFolder folder;
    std::unique_ptr<Engine> engine{make_moby_engine(
        options(), Platform{world.executor(), world.clock(), world.random(), world.network(), *files})};
    TaskScope scope{world.executor()};
    int changes{0};
    bool opened{false};

    Fixture() {
        scope.spawn("open", open_into(*engine, opened));
        scope.spawn("changes", count_changes(*engine, changes));
    }
    ~Fixture() {
        world.run(scope.close());
        world.run(engine->close());
        fake.stop();
    }
    MobyEngineOptions options() const {
        MobyEngineOptions out;
        out.socket = socket_path;
        out.proc = folder.path();
        return out;
    }
    // A process with this /proc/<pid>/cgroup.
    void process(pid_t pid, const std::string& groups) {
        REQUIRE(files->make_folders(folder / std::to_string(pid), 0700));
        REQUIRE(storage::replace_file(*files, folder / std::to_string(pid) / "cgroup", groups));
    }
    bool changed() { return std::exchange(changes, 0) > 0; }
    Errc trouble_with(const std::string& name) {
        const auto status = world.run(engine->inspect(name));
        REQUIRE_FALSE(status);
        return status.error().code;
    }
};
}  // namespace

TEST_CASE("an engine that is not there yet is waited for, and one that is tells what happens") {
    Fixture at;
    at.world.run_for(10min);
    CHECK_FALSE(at.opened);
    at.fake.make("sensor", "id1");
    at.fake.start();
    at.world.run_for(20s);
    REQUIRE(at.opened);
    CHECK(at.world.run(at.engine->inspect("sensor"))->name == "sensor");
    static_cast<void>(at.changed());
    at.fake.tell("die", "sensor");
    at.world.run_for(1ms);
    CHECK(at.changed());
    at.world.run_for(10min);
    CHECK_FALSE(at.changed());
    CHECK(at.fake.followers == 1);
}

TEST_CASE("when the connection for events ends, they are followed again, and what was missed is looked for") {
    Fixture at;
    at.fake.make("sensor", "id1");
    at.fake.start();
    at.world.run_for(1min);
    static_cast<void>(at.changed());
    at.fake.end_events();
    at.fake.containers["sensor"] = "id2";  // nobody told
    at.world.run_for(20s);
    CHECK(at.fake.followers == 2);
    CHECK(at.changed());
    const auto status = at.world.run(at.engine->inspect("sensor"));
    REQUIRE(status);
    at.fake.tell("start", "sensor");
    at.world.run_for(1ms);
    CHECK(at.changed());
    // One that ends again and again is not asked in a tight loop.
    for (int round = 0; round < 20; ++round) {
        at.fake.end_events();
        at.world.run_for(1s);
    }
    CHECK(at.fake.followers < 15);
}

TEST_CASE("an engine that went away fails calls, and tells when it is back with other containers") {
    Fixture at;
    at.fake.make("sensor", "id1");
    at.fake.start();
    at.world.run_for(1min);
    at.fake.stop();
    at.world.run_for(1s);
    CHECK(at.trouble_with("sensor") == Errc::unreachable);
    CHECK(at.changed());
    at.world.run_for(1h);
    at.fake.containers = {{"filter", "id9"}};
    at.fake.start();
    at.world.run_for(20s);
    CHECK(at.changed());
    CHECK(at.trouble_with("sensor") == Errc::not_found);
    CHECK(at.world.run(at.engine->inspect("filter")));
    CHECK(at.fake.followers == 1);
}

TEST_CASE("a container that its engine can't start any more is dead, until there is another one") {
    Fixture at;
    at.fake.make("sensor", "id1");
    at.fake.start();
    at.world.run_for(1min);
    at.fake.status = "exited";
    at.fake.refusal.emplace(500, "driver failed programming external connectivity: port 80 already exists");
    CHECK_FALSE(at.world.run(at.engine->start("sensor")));
    CHECK(at.world.run(at.engine->list())->at(0).state == model::RuntimeState::stopped);
    static_cast<void>(at.changed());
    at.fake.refusal.emplace(500, "task id1: already exists");
    const auto refused = at.world.run(at.engine->start("sensor"));
    REQUIRE_FALSE(refused);
    at.world.run_for(1ms);
    CHECK(at.changed());
    CHECK(at.world.run(at.engine->list())->at(0).state == model::RuntimeState::dead);
    CHECK(at.world.run(at.engine->list())->at(0).state == model::RuntimeState::dead);  // from what is known
    CHECK(at.world.run(at.engine->inspect("sensor"))->state == model::RuntimeState::dead);
    at.fake.containers["sensor"] = "id2";
    CHECK(at.world.run(at.engine->list())->at(0).state == model::RuntimeState::stopped);
}

TEST_CASE("a container that somebody paused goes on when it is to be started") {
    Fixture at;
    at.fake.make("sensor", "id1");
    at.fake.start();
    at.world.run_for(1min);
    at.fake.refusal.emplace(409, "cannot start a paused container, try unpause instead");
    CHECK_FALSE(at.world.run(at.engine->start("sensor")));
    CHECK(at.fake.asked.back() == "/v1.41/containers/id1/json");
    at.fake.status = "paused";
    CHECK(at.world.run(at.engine->start("sensor")));
    CHECK(at.fake.asked.back() == "/v1.41/containers/id1/unpause");
}

TEST_CASE("a process is a module's by its control groups, of version 1 or 2, of Docker or Podman") {
    Fixture at;
    const std::string id(64, 'a');
    const std::string other(64, 'b');
    at.fake.make("sensor", id);
    at.fake.make("filter", other);
    at.fake.start();
    at.world.run_for(1min);
    const auto in = [](const std::string& of) {
        return std::vector<std::string>{
            "12:memory:/docker/" + of + "\n4:cpu,cpuacct:/docker/" + of + "\n0::/\n",  // version 1
            "12:memory:/\n1:name=systemd:/test/" + of + "\n0::/test/" + of + "\n",     // both
            "0::/system.slice/docker-" + of + ".scope\n",                              // version 2, systemd
            "0::/docker/" + of + "/init\n",                                            // and cgroupfs
            "0::/machine.slice/libpod-" + of + ".scope/container\n",
            "9:pids:/libpod_parent/libpod-" + of + "\n"};
    };
    for (const auto& groups : in(id)) {
        at.process(100, groups);
        CHECK_MESSAGE(at.engine->owns_process("sensor", 100), groups);
        CHECK_FALSE(at.engine->owns_process("filter", 100));
    }
    for (const auto& groups : in(other)) {
        at.process(100, groups);
        CHECK_FALSE(at.engine->owns_process("sensor", 100));
    }
    at.process(100, "0::/user.slice\n");
    CHECK_FALSE(at.engine->owns_process("sensor", 100));
    CHECK_FALSE(at.engine->owns_process("sensor", 101));
    CHECK_FALSE(at.engine->owns_process("unheard-of", 100));
}
