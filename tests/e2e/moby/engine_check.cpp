// The engine of containers against a real dockerd and a registry with a password. Started by engine.test.mjs, which
// says in the environment where they are: SKERRY_MOBY_SOCKET, SKERRY_MOBY_IMAGE (in the registry, not in the engine),
// SKERRY_MOBY_USER, SKERRY_MOBY_PASSWORD, SKERRY_MOBY_REGISTRY, SKERRY_MOBY_FOREIGN (a container that is not ours),
// SKERRY_MOBY_PODMAN (set: it is Podman).
#include "base/loop.hpp"
#include "base/timeout.hpp"
#include "engine/moby/moby_engine.hpp"
#include "model/twin.hpp"
#include "net/http.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <unistd.h>

#include <cstdlib>

using namespace skerry;
using namespace skerry::engine;
using namespace std::chrono_literals;
using model::RuntimeState;
namespace json = boost::json;

namespace {
std::string variable(const char* name) {
    const auto* const value = std::getenv(name);
    REQUIRE_MESSAGE(value != nullptr, name);
    return value;
}

bool is_podman() { return std::getenv("SKERRY_MOBY_PODMAN") != nullptr; }

struct World {
    sim::TemporaryFolder folder;
    Loop loop;
    SystemClock clock;
    SystemRandom random;
    std::unique_ptr<net::Network> network{net::make_system_network(loop.executor())};
    std::unique_ptr<storage::Files> files{storage::make_system_files()};
    std::string image{variable("SKERRY_MOBY_IMAGE")};
    std::filesystem::path socket{variable("SKERRY_MOBY_SOCKET")};

    std::unique_ptr<Engine> engine() {
        MobyEngineOptions options;
        options.socket = socket;
        options.network = "check-network";
        // An engine leaves its bridge behind, and the next one finds its addresses taken.
        options.network_settings =
            model::parse_object(is_podman() ? R"({"IPAM":{"Config":[{"Subnet":"172.31.8.0/24"}]}})"
                                            : R"({"IPAM":{"Config":[{"Subnet":"172.31.7.0/24"}]}})")
                .value();
        options.socket_folder = [root = folder / "s"](std::string_view name) { return root / name; };
        return make_moby_engine(std::move(options), {loop.executor(), clock, random, *network, *files});
    }
    model::ModuleSpec spec(const std::string& name, const std::string& script, const char* more = "{}") {
        model::ModuleSpec out;
        out.name = name;
        out.image = image;
        out.create_options = model::parse_object(more).value();
        out.create_options["Entrypoint"] = json::array{"/bin/sh", "-c", script};
        out.auth = {{"username", variable("SKERRY_MOBY_USER")},
                    {"password", variable("SKERRY_MOBY_PASSWORD")},
                    {"serveraddress", variable("SKERRY_MOBY_REGISTRY")}};
        return out;
    }
    // What the engine itself says.
    Task<json::object> raw(std::string target) {
        net::HttpClient http(clock, net::unix_connector(*network, socket));
        codec::HttpRequest request;
        request.target = std::move(target);
        const auto response = co_await http.exchange(std::move(request), 30s);
        REQUIRE(response);
        co_return model::parse_object(response->body).value();
    }
    // As somebody else who uses the engine.
    Task<unsigned> post(std::string target) {
        net::HttpClient http(clock, net::unix_connector(*network, socket));
        codec::HttpRequest request;
        request.method = "POST";
        request.target = std::move(target);
        const auto response = co_await http.exchange(std::move(request), 30s);
        REQUIRE(response);
        co_return response->status;
    }
};

Task<Result<>> until(Engine& engine, std::string name, std::function<bool(const model::ModuleStatus&)> wanted) {
    for (;;) {
        const auto seen = engine.changes();
        const auto status = co_await engine.inspect(name);
        if (!status) co_return std::unexpected(status.error());
        if (wanted(*status)) co_return Result<>{};
        co_await engine.wait_change(seen);
    }
}
Task<> wait_state(World& world, Engine& engine, std::string name, RuntimeState wanted) {
    const auto fits = [wanted](const model::ModuleStatus& status) { return status.state == wanted; };
    const auto reached = co_await with_timeout<void>(world.clock, 30s, until(engine, name, fits));
    REQUIRE_MESSAGE(reached, reached.error().text);
}

// "1:text" and "2:text" of each frame.
std::string frames_of(std::string bytes) {
    std::string all;
    while (bytes.size() >= 8) {
        std::size_t length = 0;
        for (std::size_t i = 4; i < 8; ++i) length = length << 8 | static_cast<unsigned char>(bytes[i]);
        REQUIRE(bytes.size() >= 8 + length);
        all += std::to_string(static_cast<int>(bytes[0])) + ':' + bytes.substr(8, length);
        bytes.erase(0, 8 + length);
    }
    CHECK(bytes.empty());
    return all;
}
Task<std::string> log_of(Engine& engine, std::string name, LogOptions options = {}) {
    std::string all;
    const auto take = [&all](std::string piece) -> Task<bool> {
        all += piece;
        co_return true;
    };
    const auto sent = co_await engine.logs(std::move(name), std::move(options), take);
    REQUIRE_MESSAGE(sent, sent.error().text);
    co_return frames_of(std::move(all));
}

template <class Test>
void run(Test test) {
    World world;
    world.loop.run([&](Event&) -> Task<int> {
        const auto engine = world.engine();
        co_await engine->open();
        co_await test(world, *engine);
        const auto left = co_await engine->list();
        for (const auto& module : left.value()) CHECK(co_await engine->remove(module.name));
        co_await engine->close();
        co_return 0;
    });
}

void require_done(const Result<>& done) { REQUIRE_MESSAGE(done.has_value(), done.error().text); }
}  // namespace

TEST_CASE("an image comes from a registry that wants a password, and only with the right one") {
    run([](World& world, Engine& engine) -> Task<> {
        auto spec = world.spec("puller", "exit 0");
        spec.auth["password"] = "wrong";
        const auto refused = co_await engine.prepare(spec);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::unauthorized);
        CHECK(refused.error().text.find("puller") != std::string::npos);
        CHECK(refused.error().text.find(world.image) != std::string::npos);
        CHECK(refused.error().text.find("wrong") == std::string::npos);

        spec = world.spec("puller", "exit 0");
        spec.pull_policy = model::PullPolicy::never;
        CHECK((co_await engine.prepare(spec)).error().code == Errc::not_found);
        spec.pull_policy = model::PullPolicy::on_create;
        require_done(co_await engine.prepare(spec));
        spec.pull_policy = model::PullPolicy::never;
        require_done(co_await engine.prepare(spec));

        spec = world.spec("puller", "exit 0");
        spec.image += "-unheard-of";
        CHECK((co_await engine.prepare(spec)).error().code == Errc::not_found);

        // A registry that is away is no reason not to start what is here.
        spec.image = "127.0.0.1:1/base:latest";
        const auto away = co_await engine.prepare(spec);
        REQUIRE_FALSE(away);
        CHECK(away.error().code == Errc::unreachable);
        spec.image = "skerry/base:latest";
        require_done(co_await engine.prepare(spec));

        // A digest is the image, whatever the tag is by now.
        const auto image = co_await world.raw("/images/" + world.image + "/json");
        const std::string pinned(image.at("RepoDigests").as_array().at(0).as_string());
        spec = world.spec("pinned", "exit 0");
        spec.digest = pinned.substr(pinned.find('@') + 1);
        require_done(co_await engine.prepare(spec));
        require_done(co_await engine.create(spec));
        if (!is_podman())
            CHECK((co_await world.raw("/containers/pinned/json")).at("Config").at("Image").as_string() == pinned);
        CHECK((co_await engine.inspect("pinned"))->image == world.image);
        spec.digest = "sha256:" + std::string(64, '0');
        CHECK((co_await engine.prepare(spec)).error().code == Errc::not_found);
    });
}

TEST_CASE("a module lives: created, started, ended by itself with its code, started again, stopped, removed") {
    run([](World& world, Engine& engine) -> Task<> {
        const auto spec = world.spec("life", "trap 'exit 4' TERM; echo up; while :; do sleep 0.05; done");
        require_done(co_await engine.create(spec));
        CHECK((co_await engine.create(spec)).error().code == Errc::conflict);
        CHECK((co_await engine.inspect("life"))->state == RuntimeState::stopped);
        require_done(co_await engine.start("life"));
        require_done(co_await engine.start("life"));
        co_await wait_state(world, engine, "life", RuntimeState::running);
        const auto running = co_await world.raw("/containers/life/json");
        CHECK(running.at("HostConfig").at("RestartPolicy").at("MaximumRetryCount") == 0);
        CHECK(running.at("HostConfig").at("RestartPolicy").at("Name") != "always");
        const auto pid = static_cast<pid_t>(running.at("State").at("Pid").as_int64());
        CHECK(engine.owns_process("life", pid));
        CHECK_FALSE(engine.owns_process("life", ::getpid()));
        CHECK_FALSE(engine.owns_process("other", pid));
        CHECK((co_await engine.statistics())->size() == 1);

        const auto began = world.clock.steady();
        require_done(co_await engine.stop("life", 10s));
        CHECK(world.clock.steady() - began < 8s);
        require_done(co_await engine.stop("life", 10s));
        const auto ended = co_await engine.inspect("life");
        CHECK(ended->state == RuntimeState::failed);
        CHECK_MESSAGE(ended->exit_code == 4, ended->exit_code.value_or(-1));
        CHECK(ended->exited);
        CHECK(ended->image_hash.starts_with("sha256:"));

        require_done(co_await engine.remove("life"));
        for (const auto& gone :
             {co_await engine.remove("life"), co_await engine.start("life"), co_await engine.stop("life", 1s)})
            CHECK(gone.error().code == Errc::not_found);
        CHECK((co_await engine.inspect("life")).error().code == Errc::not_found);
        CHECK((co_await engine.list())->empty());
        CHECK_FALSE(std::filesystem::exists(world.folder / "s" / "life"));
    });
}

TEST_CASE("the end of a module is told at once, without asking") {
    run([](World& world, Engine& engine) -> Task<> {
        require_done(co_await engine.create(world.spec("brief", "sleep 0.5; exit 3")));
        require_done(co_await engine.start("brief"));
        co_await wait_state(world, engine, "brief", RuntimeState::failed);
        const auto ended = co_await engine.inspect("brief");
        CHECK(ended->exit_code == 3);
        CHECK(ended->description == "ended with exit code 3");
    });
}

TEST_CASE("a module that ignores the wish to stop is killed after its grace") {
    run([](World& world, Engine& engine) -> Task<> {
        require_done(co_await engine.create(world.spec("deaf", "trap '' TERM; while :; do sleep 0.1; done")));
        require_done(co_await engine.start("deaf"));
        require_done(co_await engine.stop("deaf", 1s));
        CHECK((co_await engine.inspect("deaf"))->exit_code == 137);
    });
}

TEST_CASE("a module that was given longer to stop gets it") {
    run([](World& world, Engine& engine) -> Task<> {
        const auto* const script = "trap 'sleep 3; exit 5' TERM; while :; do sleep 0.1; done";
        require_done(co_await engine.create(world.spec("patient", script, R"({"StopTimeout":20})")));
        require_done(co_await engine.start("patient"));
        require_done(co_await engine.stop("patient", 1s));
        CHECK((co_await engine.inspect("patient"))->exit_code == 5);
    });
}

TEST_CASE("a module that somebody paused does not run, and goes on when it is started") {
    run([](World& world, Engine& engine) -> Task<> {
        if (is_podman()) co_return;  // its service wants control groups of version 2 for that
        require_done(co_await engine.create(world.spec("paused", "sleep 1000")));
        require_done(co_await engine.start("paused"));
        const auto process = (co_await world.raw("/containers/paused/json")).at("State").at("Pid");
        REQUIRE(co_await world.post("/containers/paused/pause") == 204);
        co_await wait_state(world, engine, "paused", RuntimeState::stopped);
        require_done(co_await engine.start("paused"));
        CHECK((co_await engine.inspect("paused"))->state == RuntimeState::running);
        CHECK((co_await world.raw("/containers/paused/json")).at("State").at("Pid") == process);
    });
}

TEST_CASE("what the engine would refuse of a module that exists is known before that is touched, and leaves nothing") {
    run([](World& world, Engine& engine) -> Task<> {
        require_done(co_await engine.create(world.spec("kept", "sleep 1000")));
        require_done(co_await engine.start("kept"));
        const auto id = (co_await world.raw("/containers/kept/json")).at("Id");
        const auto containers = (co_await world.raw("/info")).at("Containers");
        const auto wrong = co_await engine.prepare(world.spec("kept", "sleep 1000", R"({"Hostname":7})"));
        REQUIRE_FALSE(wrong);
        CHECK(wrong.error().text.find("kept") != std::string::npos);
        if (!is_podman()) {
            const auto little = world.spec("kept", "sleep 1000", R"({"labels":{"a":"b"},"HostConfig":{"Memory":1}})");
            const auto refused = co_await engine.prepare(little);
            REQUIRE_FALSE(refused);
            CHECK(refused.error().code == Errc::malformed);
            CHECK(refused.error().text.find("memory") != std::string::npos);
        }
        require_done(co_await engine.prepare(world.spec("kept", "sleep 1000", R"({"labels":{"a":"b"}})")));
        CHECK((co_await world.raw("/containers/kept/json")).at("Id") == id);
        CHECK((co_await world.raw("/info")).at("Containers") == containers);
        CHECK((co_await engine.list())->size() == 1);
        CHECK((co_await engine.prepare(world.spec("x", "exit 0"))).error().code == Errc::malformed);
    });
}

TEST_CASE("a program that is not there is an error of the start, in the engine's words") {
    run([](World& world, Engine& engine) -> Task<> {
        auto spec = world.spec("absent", "");
        spec.create_options["Entrypoint"] = json::array{"/no/such/program"};
        require_done(co_await engine.create(spec));
        const auto started = co_await engine.start("absent");
        REQUIRE_FALSE(started);
        CHECK(started.error().text.find("absent") != std::string::npos);
        CHECK(started.error().text.find("/no/such/program") != std::string::npos);
    });
}

TEST_CASE("the log is read in frames: both streams, its tail, with times, followed to the end, and of a terminal") {
    run([](World& world, Engine& engine) -> Task<> {
        require_done(co_await engine.create(world.spec("talker",
                                                       "echo one; sleep 0.2; echo two >&2; sleep 0.2; "
                                                       "echo three")));
        require_done(co_await engine.start("talker"));
        CHECK(co_await log_of(engine, "talker", {.follow = true}) == "1:one\n2:two\n1:three\n");
        CHECK(co_await log_of(engine, "talker", {.tail = 1}) == "1:three\n");
        const auto timed = co_await log_of(engine, "talker", {.tail = 1, .timestamps = true});
        CHECK(parse_rfc3339(timed.substr(2, timed.find(' ') - 2)));
        CHECK(co_await log_of(engine, "talker", {.since = world.clock.wall() + 1h}) == "");
        CHECK(co_await log_of(engine, "talker", {.until = world.clock.wall() - 1h}) == "");

        require_done(co_await engine.create(world.spec("screen", "echo shown", R"({"Tty":true})")));
        require_done(co_await engine.start("screen"));
        CHECK(co_await log_of(engine, "screen", {.follow = true}) == "1:shown\r\n");
    });
}

TEST_CASE("createOptions arrive as they were written") {
    run([](World& world, Engine& engine) -> Task<> {
        auto spec = world.spec("options", "sleep 1000", R"({
            "Env": ["FROM_OPTIONS=1"], "Labels": {"mine": "yes"}, "User": "0:0", "WorkingDir": "/tmp",
            "ExposedPorts": {"80/tcp": {}}, "StopTimeout": 3, "Volumes": {"/anonymous": {}},
            "Healthcheck": {"Test": ["CMD-SHELL", "test -e /tmp/well"], "Interval": 200000000, "Retries": 1},
            "HostConfig": {"Memory": 67108864, "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}]},
                           "Binds": ["named:/data"], "Tmpfs": {"/scratch": "size=1m"}, "CapDrop": ["KILL"],
                           "PidsLimit": 50, "ExtraHosts": ["other:10.0.0.1"],
                           "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}}})");
        spec.env["FROM_DEPLOYMENT"] = "2";
        require_done(co_await engine.create(spec));
        const auto container = co_await world.raw("/containers/options/json");
        const auto& config = container.at("Config");
        const auto& host = container.at("HostConfig");
        const auto env = json::serialize(config.at("Env"));
        CHECK(env.find("FROM_OPTIONS=1") != std::string::npos);
        CHECK(env.find("FROM_DEPLOYMENT=2") != std::string::npos);
        CHECK(config.at("Labels").at("mine") == "yes");
        CHECK(config.at("Labels").at("net.azure-devices.edge.original-image").as_string() == world.image);
        CHECK(config.at("User") == "0:0");
        CHECK(config.at("WorkingDir") == "/tmp");
        CHECK(config.at("StopTimeout") == 3);
        CHECK(config.at("ExposedPorts").as_object().contains("80/tcp"));
        CHECK(config.at("Healthcheck").at("Interval") == 200000000);
        CHECK(host.at("Memory") == 67108864);
        CHECK(host.at("PidsLimit") == 50);
        CHECK(host.at("CapDrop") == json::array{"KILL"});
        CHECK(host.at("ExtraHosts") == json::array{"other:10.0.0.1"});
        CHECK(host.at("PortBindings").at("80/tcp").at(0).at("HostPort") == "18080");
        CHECK(container.at("NetworkSettings").at("Networks").as_object().contains("check-network"));

        require_done(co_await engine.start("options"));
        if (is_podman()) co_return;  // it shows the rest in words of its own, and its health checks need systemd
        CHECK(host.at("Tmpfs").at("/scratch") == "size=1m");
        CHECK(host.at("LogConfig").at("Config").at("max-size") == "1m");
        CHECK(host.at("Binds") == json::array{"named:/data", json::string((world.folder / "s" / "options").native() +
                                                                          ":/var/run/iotedge")});
        const auto unwell = [](const model::ModuleStatus& status) { return status.health == model::Health::unhealthy; };
        const auto seen = co_await with_timeout<void>(world.clock, 30s, until(engine, "options", unwell));
        REQUIRE_MESSAGE(seen, seen.error().text);
        CHECK((co_await engine.inspect("options"))->state == RuntimeState::running);
    });
}

TEST_CASE("containers that are not ours are neither seen nor touched") {
    run([](World&, Engine& engine) -> Task<> {
        const auto foreign = variable("SKERRY_MOBY_FOREIGN");
        CHECK((co_await engine.list())->empty());
        CHECK((co_await engine.inspect(foreign)).error().code == Errc::not_found);
        CHECK((co_await engine.remove(foreign)).error().code == Errc::not_found);
        CHECK((co_await engine.stop(foreign, 1s)).error().code == Errc::not_found);
    });
}
