// The engine with real processes. This executable is its own shim: see dispatch_shim.
#include "engine/process_engine.hpp"

#include "base/loop.hpp"
#include "base/timeout.hpp"
#include "engine/module_shim.hpp"
#include "engine/process.hpp"
#include "model/twin.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

using namespace skerry;
using namespace skerry::engine;
using namespace std::chrono_literals;
using model::RuntimeState;
namespace fs = std::filesystem;

namespace {
// Runs before doctest's main: the engine starts `/proc/self/exe module-shim`.
__attribute__((constructor)) void dispatch_shim(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "module-shim") ::_exit(module_shim_main(argc, argv));
}

struct World {
    sim::TemporaryFolder folder;
    Loop loop;
    SystemClock clock;
    SystemRandom random;
    std::unique_ptr<net::Network> network{net::make_system_network(loop.executor())};
    std::unique_ptr<storage::Files> files{storage::make_system_files()};

    Platform platform() { return {loop.executor(), clock, random, *network, *files}; }

    ProcessEngineOptions options() {
        ProcessEngineOptions out;
        out.state = folder / "state";
        out.bundles = folder / "bundles";
        out.socket_folder = [root = folder / "s"](std::string_view name) { return root / name; };
        return out;
    }
    std::unique_ptr<Engine> engine(ProcessEngineOptions options) {
        return make_process_engine(std::move(options), platform()).value();
    }
    std::unique_ptr<Engine> engine() { return engine(options()); }

    // A bundle that runs `script` with the folder of results as $1.
    void bundle(const std::string& image, const std::string& script) {
        fs::create_directories(folder / "bundles" / image);
        const boost::json::object config{
            {"config", {{"Entrypoint", {"/bin/sh", "-c", script, "module", (folder.path()).native()}}}}};
        std::ofstream(folder / "bundles" / image / "config.json") << boost::json::serialize(config);
    }
    static model::ModuleSpec spec(const std::string& name, const std::string& image, const char* options = "{}") {
        model::ModuleSpec out;
        out.name = name;
        out.image = image;
        out.create_options = model::parse_object(options).value();
        return out;
    }
    std::string text(const char* file) {
        std::ostringstream out;
        out << std::ifstream(folder / file).rdbuf();
        return out.str();
    }
    // Modules outlive engines: no test may leave them behind. A loop that has ended runs nothing more: this is another.
    ~World() {
        Loop last_loop;
        const auto last_network = net::make_system_network(last_loop.executor());
        const Platform last_platform{last_loop.executor(), clock, random, *last_network, *files};
        const auto end_all = [&](Event&) -> Task<int> {
            auto last = make_process_engine(options(), last_platform).value();
            const auto all = co_await last->list();
            for (const auto& module : all.value()) CHECK(co_await last->stop(module.name, Duration::zero()));
            co_await last->close();
            co_return EXIT_SUCCESS;
        };
        CHECK(last_loop.run(end_all) == EXIT_SUCCESS);
    }
};

Task<Result<>> until_state(Engine& engine, std::string name, RuntimeState wanted) {
    for (;;) {
        const auto seen = engine.changes();
        const auto status = co_await engine.inspect(name);
        if (!status) co_return std::unexpected(status.error());
        if (status->state == wanted) co_return Result<>{};
        co_await engine.wait_change(seen);
    }
}

Task<> wait_state(World& world, Engine& engine, std::string name, RuntimeState wanted) {
    const auto reached = co_await with_timeout<void>(world.clock, 20s, until_state(engine, name, wanted));
    REQUIRE_MESSAGE(reached, reached.error().text);
}

// Waits for a file that a module writes in one rename.
Task<> wait_file(World& world, const char* file) {
    for (int i = 0; i < 2000 && !fs::exists(world.folder / file); ++i) co_await world.clock.sleep(10ms);
    REQUIRE(fs::exists(world.folder / file));
}

Task<std::string> output_of(Engine& engine, std::string name, LogOptions options = {}) {
    std::string all;
    const auto take = [&all](std::string frames) -> Task<bool> {
        while (frames.size() >= 8) {
            const auto length = static_cast<std::size_t>(static_cast<unsigned char>(frames[6])) << 8 |
                                static_cast<unsigned char>(frames[7]);
            all += (frames[0] == 2 ? "E:" : "") + frames.substr(8, length);
            frames.erase(0, 8 + length);
        }
        co_return true;
    };
    const auto sent = co_await engine.logs(std::move(name), std::move(options), take);
    REQUIRE(sent);
    co_return all;
}

pid_t pid_in(World& world, const char* file) { return std::stoi(world.text(file)); }
bool runs(pid_t pid) {
    const auto stat = read_process_stat(pid);
    return stat && stat->state != 'Z';
}

template <class Test>
void run(World& world, Test test) {
    world.loop.run([&](Event&) -> Task<int> {
        co_await test();
        co_return 0;
    });
}
}  // namespace

TEST_CASE("a module runs, and its end, its code and its output are seen") {
    World world;
    world.bundle("m", "echo out; echo bad >&2; printf 'no newline'; exit 3");
    run(world, [&]() -> Task<> {
        auto engine = world.engine();
        REQUIRE(co_await engine->create(World::spec("m", "m:1")));
        CHECK((co_await engine->inspect("m"))->state == RuntimeState::stopped);
        REQUIRE(co_await engine->start("m"));
        co_await wait_state(world, *engine, "m", RuntimeState::failed);
        const auto status = (co_await engine->inspect("m")).value();
        CHECK(status.exit_code == 3);
        CHECK(status.description == "exited with code 3");
        CHECK(status.exited >= status.started);
        const auto output = co_await output_of(*engine, "m");
        CHECK(output.find("out\n") != std::string::npos);
        CHECK(output.find("E:bad\n") != std::string::npos);
        CHECK(output.find("no newline") != std::string::npos);
        LogOptions last;
        last.tail = 1;
        CHECK(co_await output_of(*engine, "m", last) == "no newline");
        REQUIRE(co_await engine->remove("m"));
        CHECK((co_await engine->inspect("m")).error().code == Errc::not_found);
        co_await engine->close();
    });
}

TEST_CASE("environment, arguments, working folder and signals are as a container would have them") {
    World world;
    world.bundle("m",
                 "pwd > $1/new; echo \"$A $B\" >> $1/new; kill -PIPE $$; echo survived >> $1/new; mv $1/new $1/out");
    run(world, [&]() -> Task<> {
        auto engine = world.engine();
        auto spec = World::spec("m", "m", R"({"Env":["B=option"],"WorkingDir":"/usr"})");
        spec.env = {{"A", "deployment"}, {"B", "deployment"}};
        REQUIRE(co_await engine->create(spec));
        REQUIRE(co_await engine->start("m"));
        co_await wait_state(world, *engine, "m", RuntimeState::failed);
        CHECK(world.text("new") == "/usr\ndeployment option\n");
        CHECK((co_await engine->inspect("m"))->exit_code == 128 + SIGPIPE);
        co_await engine->close();
    });
}

TEST_CASE("stop ends the whole group, also what ignores TERM and what made itself a daemon") {
    World world;
    world.bundle(
        "m",
        "trap '' TERM; (setsid sh -c 'echo $$ > '$1'/new; mv '$1'/new '$1'/daemon; sleep 1000' &) ; "
        "sleep 1000 & echo $! > $1/child; echo $$ > $1/main0; mv $1/main0 $1/main; while :; do sleep 1000; done");
    run(world, [&]() -> Task<> {
        auto engine = world.engine();
        REQUIRE(co_await engine->create(World::spec("m", "m")));
        REQUIRE(co_await engine->start("m"));
        co_await wait_file(world, "daemon");
        co_await wait_file(world, "main");
        const auto pids = {pid_in(world, "daemon"), pid_in(world, "child"), pid_in(world, "main")};
        for (const pid_t pid : pids) {
            CHECK(runs(pid));
            CHECK(engine->owns_process("m", pid));
        }
        CHECK_FALSE(engine->owns_process("m", ::getpid()));
        CHECK_FALSE(engine->owns_process("other", pid_in(world, "main")));
        REQUIRE(co_await engine->stop("m", 200ms));
        for (const pid_t pid : pids) CHECK_FALSE(runs(pid));
        CHECK((co_await engine->inspect("m"))->exit_code == 128 + SIGKILL);
        REQUIRE(co_await engine->stop("m", 1s));
        co_await engine->close();
    });
}

TEST_CASE("a module that stops in order within its grace keeps its exit code") {
    World world;
    world.bundle("m", "trap 'exit 0' TERM; touch $1/ready; while :; do sleep 0.05; done");
    run(world, [&]() -> Task<> {
        auto engine = world.engine();
        REQUIRE(co_await engine->create(World::spec("m", "m")));
        REQUIRE(co_await engine->start("m"));
        co_await wait_file(world, "ready");
        REQUIRE(co_await engine->stop("m", 10s));
        const auto status = (co_await engine->inspect("m")).value();
        CHECK(status.state == RuntimeState::stopped);
        CHECK(status.exit_code == 0);
        co_await engine->close();
    });
}

TEST_CASE("a module that was given longer to stop gets it") {
    World world;
    world.bundle("m", "trap 'sleep 1; exit 3' TERM; touch $1/ready; while :; do sleep 0.05; done");
    run(world, [&]() -> Task<> {
        auto engine = world.engine();
        REQUIRE(co_await engine->create(World::spec("m", "m", R"({"StopTimeout":20})")));
        REQUIRE(co_await engine->start("m"));
        co_await wait_file(world, "ready");
        REQUIRE(co_await engine->stop("m", 100ms));
        CHECK((co_await engine->inspect("m"))->exit_code == 3);
        co_await engine->close();
    });
}

TEST_CASE("a new engine adopts what runs, starts nothing twice, and learns what ended meanwhile") {
    World world;
    world.bundle("long", "echo $$ >> $1/pids; touch $1/ready; while :; do echo tick; sleep 0.02; done");
    world.bundle("short", "while [ ! -e $1/go ]; do sleep 0.02; done; exit 7");
    run(world, [&]() -> Task<> {
        auto first = world.engine();
        for (const auto* name : {"long", "short"}) {
            REQUIRE(co_await first->create(World::spec(name, name)));
            REQUIRE(co_await first->start(name));
        }
        co_await wait_file(world, "ready");
        co_await first->close();
        first.reset();
        std::ofstream(world.folder / "go");

        auto second = world.engine();
        CHECK((co_await second->inspect("long"))->state == RuntimeState::running);
        REQUIRE(co_await second->start("long"));
        co_await wait_state(world, *second, "short", RuntimeState::failed);
        CHECK((co_await second->inspect("short"))->exit_code == 7);
        const auto pids = world.text("pids");
        CHECK(std::count(pids.begin(), pids.end(), '\n') == 1);
        REQUIRE(co_await second->stop("long", 5s));
        CHECK_FALSE(runs(std::stoi(pids)));
        co_await second->close();
    });
}

TEST_CASE("a module that dies while a new engine is just getting to know it is seen as ended") {
    World world;
    world.bundle("m", "echo $PPID > $1/shim; echo $$ > $1/new; mv $1/new $1/main; exec sleep 1000");
    run(world, [&]() -> Task<> {
        auto first = world.engine();
        REQUIRE(co_await first->create(World::spec("m", "m")));
        REQUIRE(co_await first->start("m"));
        co_await wait_file(world, "main");
        co_await first->close();
        first.reset();

        auto second = world.engine();
        // The new engine's watcher begins with the loop's next turn; until then both processes are gone.
        const auto shim = pid_in(world, "shim");
        const auto main = pid_in(world, "main");
        for (const auto pid : {shim, main}) {
            ::kill(pid, SIGKILL);
            while (runs(pid)) std::this_thread::yield();
        }
        CHECK((co_await second->inspect("m"))->state == RuntimeState::failed);
        REQUIRE(co_await second->start("m"));
        co_await wait_state(world, *second, "m", RuntimeState::running);
        co_await second->close();
    });
}

TEST_CASE("two engines that start one module at once run it once") {
    World world;
    world.bundle("m", "echo $$ >> $1/pids; touch $1/ready; while :; do sleep 0.05; done");
    run(world, [&]() -> Task<> {
        auto first = world.engine();
        REQUIRE(co_await first->create(World::spec("m", "m")));
        auto second = world.engine();
        TaskScope scope(world.loop.executor());
        const auto start = [](Engine& engine) -> Task<> { CHECK(co_await engine.start("m")); };
        scope.spawn("first", start(*first));
        scope.spawn("second", start(*second));
        co_await scope.idle();
        co_await wait_file(world, "ready");
        const auto pids = world.text("pids");
        CHECK(std::count(pids.begin(), pids.end(), '\n') == 1);
        REQUIRE(co_await second->stop("m", 5s));
        co_await wait_state(world, *first, "m", RuntimeState::failed);
        co_await first->close();
        co_await second->close();
    });
}

TEST_CASE("a module whose shim was killed is still known, stopped and never run twice") {
    World world;
    world.bundle("m", "echo $PPID > $1/shim; echo $$ > $1/new; mv $1/new $1/main; while :; do sleep 0.05; done");
    run(world, [&]() -> Task<> {
        auto engine = world.engine();
        REQUIRE(co_await engine->create(World::spec("m", "m")));
        REQUIRE(co_await engine->start("m"));
        co_await wait_file(world, "main");
        const auto main = pid_in(world, "main");
        ::kill(pid_in(world, "shim"), SIGKILL);
        co_await with_timeout<void>(world.clock, 20s, [](Engine& target) -> Task<Result<>> {
            for (;;) {
                const auto seen = target.changes();
                if (!(co_await target.inspect("m"))->description.empty()) co_return Result<>{};
                co_await target.wait_change(seen);
            }
        }(*engine));
        CHECK((co_await engine->inspect("m"))->state == RuntimeState::running);
        CHECK(engine->owns_process("m", main));
        REQUIRE(co_await engine->start("m"));
        CHECK(pid_in(world, "main") == main);
        REQUIRE(co_await engine->stop("m", 5s));
        CHECK_FALSE(runs(main));
        const auto status = (co_await engine->inspect("m")).value();
        CHECK(status.state == RuntimeState::failed);
        CHECK_FALSE(status.exit_code);
        CHECK(status.description.find("unknown") != std::string::npos);
        co_await engine->close();
    });
}

TEST_CASE("a program that can't be run fails the start and says why") {
    World world;
    world.bundle("m", "");
    run(world, [&]() -> Task<> {
        auto engine = world.engine();
        REQUIRE(co_await engine->create(World::spec("m", "m", R"({"Entrypoint":["/no/such/program"]})")));
        const auto started = co_await engine->start("m");
        REQUIRE_FALSE(started);
        CHECK(started.error().text.find("/no/such/program: No such file") != std::string::npos);
        co_await wait_state(world, *engine, "m", RuntimeState::failed);
        const auto status = (co_await engine->inspect("m")).value();
        CHECK(status.exit_code == 127);
        CHECK(status.description.find("could not be run") != std::string::npos);
        co_await engine->close();
    });
}

TEST_CASE("names, images and options are checked at creation") {
    World world;
    world.bundle("m", "exit 0");
    run(world, [&]() -> Task<> {
        auto engine = world.engine();
        CHECK((co_await engine->create(World::spec("a/b", "m"))).error().code == Errc::malformed);
        CHECK((co_await engine->create(World::spec("a", "none"))).error().code == Errc::not_found);
        CHECK((co_await engine->prepare(World::spec("a", "none"))).error().code == Errc::not_found);
        CHECK((co_await engine->create(World::spec("a", "m", R"({"Env":1})"))).error().code == Errc::malformed);
        CHECK((co_await engine->prepare(World::spec("a", "m", R"({"Env":1})"))).error().code == Errc::malformed);
        REQUIRE(co_await engine->create(World::spec("a", "m", R"({"Hostname":"x","Labels":{"l":"1"}})")));
        CHECK((co_await engine->create(World::spec("a", "m"))).error().code == Errc::conflict);
        const auto all = (co_await engine->list()).value();
        REQUIRE(all.size() == 1);
        CHECK(all[0].description.find("ignored createOptions: Hostname") != std::string::npos);
        CHECK(all[0].create_options.contains("Labels"));
        co_await engine->close();
    });
}

TEST_CASE("a damaged module folder is moved aside, and the others are there") {
    World world;
    world.bundle("m", "exit 0");
    run(world, [&]() -> Task<> {
        auto engine = world.engine();
        for (const auto* name : {"good", "bad"}) REQUIRE(co_await engine->create(World::spec(name, "m")));
        co_await engine->close();
        std::ofstream(world.folder / "state/modules/m-bad/spec.json") << "{";
        fs::create_directories(world.folder / "state/modules/m-half");
        auto again = world.engine();
        CHECK((co_await again->list())->size() == 1);
        CHECK((co_await again->inspect("bad")).error().code == Errc::not_found);
        REQUIRE(co_await again->create(World::spec("bad", "m")));
        co_await again->close();
    });
}

TEST_CASE("following a log ends with the module and misses nothing") {
    World world;
    world.bundle("m", "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done");
    run(world, [&]() -> Task<> {
        auto options = world.options();
        options.log_bytes = 1 << 20;
        auto engine = world.engine(std::move(options));
        REQUIRE(co_await engine->create(World::spec("m", "m")));
        REQUIRE(co_await engine->start("m"));
        LogOptions follow;
        follow.follow = true;
        const auto output = co_await output_of(*engine, "m", follow);
        CHECK(std::count(output.begin(), output.end(), '\n') == 300);
        CHECK(output.ends_with("line 299\n"));
        co_await engine->close();
    });
}

TEST_CASE("a flood of output stays within two bounded files") {
    World world;
    world.bundle("m", "i=0; while [ $i -lt 20000 ]; do echo this is line number $i; i=$((i+1)); done");
    run(world, [&]() -> Task<> {
        auto options = world.options();
        options.log_bytes = 64 * 1024;
        auto engine = world.engine(std::move(options));
        REQUIRE(co_await engine->create(World::spec("m", "m")));
        REQUIRE(co_await engine->start("m"));
        co_await wait_state(world, *engine, "m", RuntimeState::stopped);
        for (const auto* file : {"log.0", "log.1"})
            CHECK(fs::file_size(world.folder / "state/modules/m-m" / file) <= 64 * 1024);
        CHECK((co_await output_of(*engine, "m")).ends_with("this is line number 19999\n"));
        co_await engine->close();
    });
}

TEST_CASE("a module's listening socket outlives the engine, and the next one gets the very same") {
    World world;
    world.bundle("m",
                 "ls /var/run/iotedge > $1/new; echo \"$IOTEDGE_WORKLOADURI\" >> $1/new; mv $1/new $1/seen; "
                 "while :; do sleep 0.05; done");
    run(world, [&]() -> Task<> {
        auto first = world.engine();
        auto spec = World::spec("m", "m");
        spec.env["IOTEDGE_WORKLOADURI"] = "unix:///var/run/iotedge/workload.sock";
        REQUIRE(co_await first->create(spec));
        const auto one = first->listener("m", "workload.sock");
        REQUIRE(one);
        REQUIRE(co_await first->start("m"));
        co_await wait_file(world, "seen");
        const auto seen = world.text("seen");
        const auto redirected = "unix://" + (world.folder / "s/m/workload.sock").native() + "\n";
        // Either the module sees its socket at the usual place, or it was told where it is.
        CHECK((seen == "workload.sock\nunix:///var/run/iotedge/workload.sock\n" || seen.ends_with(redirected)));
        ::close(*one);
        co_await first->close();
        first.reset();

        // Nobody accepts now, yet a client can connect.
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        (world.folder / "s/m/workload.sock").native().copy(address.sun_path, sizeof address.sun_path - 1);
        const int client = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);

        auto second = world.engine();
        const auto again = second->listener("m", "workload.sock");
        REQUIRE(again);
        const int accepted = ::accept(*again, nullptr, nullptr);
        CHECK(accepted >= 0);
        for (const int descriptor : {client, accepted, *again}) ::close(descriptor);
        REQUIRE(co_await second->remove("m"));
        CHECK_FALSE(fs::exists(world.folder / "s/m"));
        co_await second->close();
    });
}

TEST_CASE("binds appear in the module only, or are reported as ignored") {
    World world;
    world.bundle("m", "cat $1/target/file > $1/new 2>&1; mv $1/new $1/seen");
    run(world, [&]() -> Task<> {
        fs::create_directories(world.folder / "source");
        fs::create_directories(world.folder / "target");
        std::ofstream(world.folder / "source/file") << "bound";
        auto engine = world.engine();
        auto spec = World::spec("m", "m");
        spec.create_options["HostConfig"] = boost::json::object{
            {"Binds", {(world.folder / "source").native() + ':' + (world.folder / "target").native() + ":ro"}}};
        REQUIRE(co_await engine->create(spec));
        REQUIRE(co_await engine->start("m"));
        co_await wait_file(world, "seen");
        const auto status = (co_await engine->inspect("m")).value();
        const bool ignored = status.description.find("was ignored") != std::string::npos;
        CHECK((ignored || world.text("seen") == "bound"));
        CHECK_FALSE(fs::exists(world.folder / "target/file"));
        co_await engine->close();
    });
}

TEST_CASE("a limit is in force for the module, or its status says that it is not") {
    World world;
    world.bundle("m", "cat /proc/self/cgroup > $1/new; mv $1/new $1/groups; while :; do sleep 0.05; done");
    run(world, [&]() -> Task<> {
        auto engine = world.engine();
        REQUIRE(co_await engine->create(World::spec("m", "m", R"({"HostConfig":{"Memory":134217728}})")));
        REQUIRE(co_await engine->start("m"));
        co_await wait_file(world, "groups");
        const auto status = (co_await engine->inspect("m")).value();
        const bool applied = world.text("groups").find("/skerry-") != std::string::npos;
        const bool reported = status.description.find("HostConfig.Memory could not be applied: ") != std::string::npos;
        CHECK(applied != reported);
        REQUIRE(co_await engine->remove("m"));
        co_await engine->close();
    });
}
