// The daemon as a whole, with real processes and no hub: it knows its identities from "last time". This executable is
// also the shim, and a program for modules that sends requests for the test (see `ask_for_the_test`).
#include "daemon/daemon.hpp"

#include "base/encoding.hpp"
#include "base/loop.hpp"
#include "base/task_scope.hpp"
#include "base/timeout.hpp"
#include "crypto/crypto.hpp"
#include "daemon/identities.hpp"
#include "daemon/modules.hpp"
#include "daemonapi/management_client.hpp"
#include "engine/module_shim.hpp"
#include "model/twin.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace skerry;
using namespace skerry::daemon;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {
std::string text_of(const fs::path& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
}

void put(const fs::path& path, const std::string& text) {
    std::ofstream(path.native() + ".new") << text;
    fs::rename(path.native() + ".new", path);
}

std::string exchange(const std::string& socket_path, const std::string& request) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket_path.copy(address.sun_path, sizeof address.sun_path - 1);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::string all;
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        ::send(socket, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
        char buffer[4096];
        for (ssize_t got = 0; (got = ::read(socket, buffer, sizeof buffer)) > 0;)
            all.append(buffer, static_cast<std::size_t>(got));
    }
    ::close(socket);
    return all;
}

// What modules of these tests run: takes requests out of the folder $1, whose first line is a socket's path, and puts
// the answers beside them. Writes its environment down first.
[[noreturn]] void ask_for_the_test(const fs::path& folder) {
    std::string environment;
    for (char** entry = environ; *entry != nullptr; ++entry) environment += std::string(*entry) + '\n';
    put(folder / "environment", environment);
    std::ofstream(folder / "starts", std::ios::app) << ::getpid() << '\n';
    for (;; ::usleep(5000)) {
        if (fs::exists(folder / "crash")) {
            fs::remove(folder / "crash");
            ::_exit(9);
        }
        if (!fs::exists(folder / "request")) continue;
        const auto text = text_of(folder / "request");
        fs::remove(folder / "request");
        const auto end = text.find('\n');
        put(folder / "answer", exchange(text.substr(0, end), text.substr(end + 1)));
    }
}

__attribute__((constructor)) void dispatch(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "module-shim") ::_exit(engine::module_shim_main(argc, argv));
    if (argc == 3 && std::string_view(argv[1]) == "ask") ask_for_the_test(argv[2]);
}

struct Answer {
    int status{0};
    boost::json::object body;
};

std::string member(const Answer& answer, const char* name) {
    const auto* const found = answer.body.if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

std::string http(const std::string& method, const std::string& path, const boost::json::object* body) {
    const auto text = body == nullptr ? std::string() : boost::json::serialize(*body);
    return fmt::format(
        "{} {}{}api-version=2022-08-03 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
        method, path, path.find('?') == path.npos ? "?" : "&", text.size(), text);
}

Answer parse(const std::string& text) {
    Answer answer;
    if (text.size() > 12) answer.status = std::atoi(text.c_str() + 9);
    const auto body = text.find("\r\n\r\n");
    if (body != text.npos && body + 4 < text.size())
        if (auto json = model::parse_object(text.substr(body + 4))) answer.body = std::move(*json);
    return answer;
}

struct World {
    sim::TemporaryFolder folder;
    fs::path home{folder / "home"};
    Loop loop;
    SystemClock clock;
    SystemRandom random;
    std::unique_ptr<net::Network> network{net::make_system_network(loop.executor())};
    std::unique_ptr<storage::Files> files{storage::make_system_files()};
    Platform platform{loop.executor(), clock, random, *network, *files};

    World() {
        fs::create_directories(home);
        put(folder / "config.toml",
            fmt::format(R"(
hostname = "gateway"
[provisioning]
source = "manual"
connection_string = "HostName=127.0.0.1;DeviceId=edge-1;SharedAccessKey=c2VjcmV0"
[agent.config]
image = "agent"
[agent.env]
EXTRA = "from the configuration"
[listen]
management_uri = "unix://{}"
[skerry]
home = "{}"
[skerry.engine]
bundles = "{}"
)",
                        (folder / "m.sock").native(), home.native(), (folder / "bundles").native()));
        const auto database = storage::Database::open(home / "daemon.db", daemon_migrations()).value();
        REQUIRE(database->execute("INSERT INTO facts VALUES ('device', ?1)",
                                  {std::string("127.0.0.1\nedge-1\n\ngateway")}));
        for (const auto* id : {"$edgeAgent", "m"})
            REQUIRE(database->execute("INSERT INTO identities VALUES (?1, '7', 'IotEdge')", {std::string(id)}));
        bundle("agent");
    }
    void bundle(const std::string& name) {
        fs::create_directories(folder / "bundles" / name);
        fs::create_directories(folder / name);
        const boost::json::object config{
            {"config",
             {{"Entrypoint", {fs::read_symlink("/proc/self/exe").native(), "ask", (folder / name).native()}}}}};
        put(folder / "bundles" / name / "config.json", boost::json::serialize(config));
    }
    Options options(bool stop_modules = true) {
        Options out;
        out.config = folder / "config.toml";
        out.stop_modules_on_exit = stop_modules;
        out.hub_port = 1;  // nobody there
        return out;
    }
    std::string socket(const std::string& module, const char* file = "workload.sock") {
        return (socket_folder(home, module) / file).native();
    }
    Task<> until(const fs::path& file) {
        for (int i = 0; i < 6000 && !fs::exists(file); ++i) co_await clock.sleep(5ms);
        REQUIRE_MESSAGE(fs::exists(file), file.native());
    }
    // Its environment is written down by then.
    Task<> until_started(std::string module, std::size_t times = 1) {
        for (int i = 0; i < 6000 && starts(module) < times; ++i) co_await clock.sleep(5ms);
        REQUIRE_MESSAGE(starts(module) >= times, module);
    }
    // A file of that name may be a former daemon's.
    Task<> until_served(const std::string& socket_path) {
        Result<std::unique_ptr<net::Stream>> stream = fail(Errc::unreachable, "not tried");
        for (int i = 0; i < 6000 && !stream; ++i) {
            stream = co_await network->connect_unix(socket_path);
            if (!stream) co_await clock.sleep(5ms);
        }
        REQUIRE_MESSAGE(stream, stream.error().text);
    }
    // As the module: the request comes from its process, over a socket at its real path.
    Task<Answer> as(std::string module, std::string socket_path, std::string method, std::string path,
                    const boost::json::object* body = nullptr) {
        put(folder / module / "request", socket_path + '\n' + http(method, path, body));
        co_await until(folder / module / "answer");
        auto answer = parse(text_of(folder / module / "answer"));
        fs::remove(folder / module / "answer");
        co_return answer;
    }
    // As this very process: somebody who is nobody.
    Task<Answer> as_stranger(std::string socket_path, std::string method, std::string path,
                             const boost::json::object* body = nullptr) {
        net::HttpClient client(clock, net::unix_connector(*network, socket_path));
        codec::HttpRequest request;
        request.method = std::move(method);
        request.target = path + (path.find('?') == path.npos ? "?" : "&") + "api-version=2022-08-03";
        if (body != nullptr) {
            request.headers.set("Content-Type", "application/json");
            request.body = boost::json::serialize(*body);
        }
        const auto response = co_await client.exchange(std::move(request), 20s);
        REQUIRE_MESSAGE(response, response.error().text);
        Answer answer{static_cast<int>(response->status), {}};
        if (auto json = model::parse_object(response->body)) answer.body = std::move(*json);
        co_return answer;
    }
    std::string management() { return (folder / "m.sock").native(); }
    std::size_t starts(const std::string& module) {
        const auto text = text_of(folder / module / "starts");
        return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    }
};

// A daemon in this process, until stop().
class Running {
public:
    Running(World& world, Options options)
        : world_(world), stop_(world.loop.executor()), ended_(world.loop.executor()), scope_(world.loop.executor()) {
        scope_.spawn("daemon", run(std::move(options)));
    }
    Task<int> stop() {
        stop_.set();
        co_await ended_.wait();
        co_await scope_.idle();
        co_return status_;
    }

private:
    Task<> run(Options options) {
        status_ = co_await run_daemon(std::move(options), world_.platform, stop_);
        ended_.set();
    }
    World& world_;
    Event stop_;
    Event ended_;
    TaskScope scope_;
    int status_{-1};
};

template <class Test>
void run(World& world, Test test) {
    world.loop.run([&](Event&) -> Task<int> {
        co_await test();
        co_return 0;
    });
}

boost::json::object spec(const std::string& name) {
    return {{"name", name},
            {"type", "docker"},
            {"config",
             {{"settings", {{"image", name}, {"createOptions", {{"Hostname", "x"}}}}},
              {"env", boost::json::array{boost::json::object{{"key", "LEVEL"}, {"value", "2"}}}}}}};
}

Task<> keep_answer(std::optional<Result<bool>>& told, daemonapi::ManagementClient& client, std::string tag) {
    told = co_await client.wait_change(std::move(tag), 60s);
}

bool runs(pid_t pid) { return ::kill(pid, 0) == 0; }
}  // namespace

TEST_CASE("who knows the list of modules is told when there is another one") {
    World world;
    run(world, [&]() -> Task<> {
        Running daemon(world, world.options());
        co_await world.until(world.folder / "agent/environment");
        const auto uri = "unix://" + world.management();
        const auto client = daemonapi::ManagementClient::create(*world.network, world.clock, uri).value();
        const auto waiter = daemonapi::ManagementClient::create(*world.network, world.clock, uri).value();
        const auto before = (co_await client->list_modules()).value();
        CHECK_FALSE(before.tag.empty());
        CHECK((co_await client->list_modules())->tag == before.tag);
        CHECK_FALSE((co_await waiter->wait_change(before.tag, 1s)).value());
        CHECK((co_await waiter->wait_change("\"another\"", 60s)).value());

        // Two wait at once; the change is the end of the agent.
        std::optional<Result<bool>> told;
        TaskScope scope(world.loop.executor());
        scope.spawn("waiting", keep_answer(told, *waiter, before.tag));
        const auto other = daemonapi::ManagementClient::create(*world.network, world.clock, uri).value();
        CHECK_FALSE((co_await other->wait_change(before.tag, 1s)).value());
        CHECK_FALSE(told);
        put(world.folder / "agent/crash", "");
        CHECK((co_await other->wait_change(before.tag, 60s)).value());
        co_await scope.idle();
        CHECK(told->value());
        CHECK((co_await client->list_modules())->tag != before.tag);
        co_await daemon.stop();
    });
}

TEST_CASE("offline from boot: the agent starts with what is known, runs modules, and each has its own workload API") {
    World world;
    world.bundle("m");
    world.bundle("other");
    run(world, [&]() -> Task<> {
        Running daemon(world, world.options());
        co_await world.until_started("agent");
        const auto environment = text_of(world.folder / "agent/environment");
        for (const auto* line :
             {"EXTRA=from the configuration\n", "EdgeDeviceHostName=gateway\n", "IOTEDGE_DEVICEID=edge-1\n",
              "IOTEDGE_MODULEID=$edgeAgent\n", "IOTEDGE_MODULEGENERATIONID=7\n", "Mode=iotedged\n",
              "IOTEDGE_APIVERSION=2022-08-03\n", "IOTEDGE_IOTHUBHOSTNAME=127.0.0.1\n", "StorageFolder="})
            CHECK_MESSAGE(environment.find(line) != std::string::npos, line);

        // Only the agent may make modules; the agent has a management socket of its own.
        const auto m = spec("m");
        CHECK((co_await world.as_stranger(world.management(), "POST", "/modules", &m)).status == 403);
        const auto agent_management = world.socket("edgeAgent", "mgmt.sock");
        CHECK((co_await world.as_stranger(agent_management, "POST", "/modules", &m)).status == 403);
        for (const auto* name : {"m", "other"}) {
            const auto wanted = spec(name);
            CHECK((co_await world.as("agent", agent_management, "POST", "/modules", &wanted)).status == 201);
            CHECK((co_await world.as("agent", agent_management, "POST", std::string("/modules/") + name + "/start"))
                      .status == 204);
            co_await world.until_started(name);
        }
        CHECK((co_await world.as("agent", world.management(), "POST", "/modules", &m)).status == 409);
        CHECK(text_of(world.folder / "m/environment").find("LEVEL=2\n") != std::string::npos);
        const auto listed = co_await world.as_stranger(world.management(), "GET", "/modules");
        CHECK(listed.status == 200);
        CHECK(listed.body.at("modules").as_array().size() == 3);
        const auto one = co_await world.as_stranger(world.management(), "GET", "/modules/m");
        CHECK(one.body.at("status").at("runtimeStatus").at("description") == "ignored createOptions: Hostname");

        // The workload API, from the module itself.
        const auto own = world.socket("m");
        const boost::json::object data{{"keyId", "primary"}, {"algo", "HMACSHA256"}, {"data", base64_encode("text")}};
        const auto digest = co_await world.as("m", own, "POST", "/modules/m/genid/7/sign", &data);
        CHECK(digest.status == 200);
        auto keys = Keys::open(*world.files, world.random, world.home / "keys", std::nullopt);
        CHECK(member(digest, "digest") ==
              base64_encode(crypto::hmac_sha256(keys->module_key("m", "7", "primary"), "text")));
        const boost::json::object plain{{"plaintext", base64_encode("hidden")},
                                        {"initializationVector", base64_encode("iv")}};
        const auto sealed = co_await world.as("m", own, "POST", "/modules/m/genid/7/encrypt", &plain);
        CHECK(sealed.status == 200);
        const boost::json::object cipher{{"ciphertext", sealed.body.at("ciphertext")},
                                         {"initializationVector", base64_encode("iv")}};
        const auto opened = co_await world.as("m", own, "POST", "/modules/m/genid/7/decrypt", &cipher);
        CHECK(member(opened, "plaintext") == base64_encode("hidden"));
        const boost::json::object server{{"commonName", "gateway"}, {"expiration", "2200-01-01T00:00:00Z"}};
        const auto certificate = co_await world.as("m", own, "POST", "/modules/m/genid/7/certificate/server", &server);
        CHECK(certificate.status == 201);
        const auto bundle = co_await world.as("m", own, "GET", "/trust-bundle");
        const auto chain = crypto::split_certificates(certificate.body.at("certificate").as_string()).value();
        CHECK(crypto::verify_chain(chain, bundle.body.at("certificate").as_string(), world.clock.wall()));
        CHECK((co_await world.as("m", own, "POST", "/modules/m/certificate/identity")).status == 201);
        CHECK((co_await world.as("m", own, "GET", "/manifest-trust-bundle")).body.at("certificate") == "");

        // Nobody else's: neither over the own socket, nor over the other's, nor as a stranger.
        CHECK((co_await world.as("m", own, "POST", "/modules/other/genid/7/sign", &data)).status == 403);
        CHECK((co_await world.as("m", world.socket("other"), "POST", "/modules/other/genid/7/sign", &data)).status ==
              403);
        CHECK((co_await world.as_stranger(own, "POST", "/modules/m/genid/7/sign", &data)).status == 403);
        CHECK((co_await world.as_stranger(own, "GET", "/trust-bundle")).status == 403);

        const auto agent = std::stoi(text_of(world.folder / "agent/starts"));
        const auto module = std::stoi(text_of(world.folder / "m/starts"));
        CHECK(co_await daemon.stop() == 0);
        CHECK_FALSE(runs(agent));
        CHECK_FALSE(runs(module));
    });
}

TEST_CASE("modules outlive the daemon: the next one adopts them, over the same sockets, and nothing starts twice") {
    World world;
    world.bundle("m");
    run(world, [&]() -> Task<> {
        {
            Running first(world, world.options(false));
            co_await world.until_started("agent");
            const auto m = spec("m");
            const auto management = world.socket("edgeAgent", "mgmt.sock");
            CHECK((co_await world.as("agent", management, "POST", "/modules", &m)).status == 201);
            CHECK((co_await world.as("agent", management, "POST", "/modules/m/start")).status == 204);
            co_await world.until_started("m");
            CHECK(co_await first.stop() == 0);
        }
        CHECK(runs(std::stoi(text_of(world.folder / "m/starts"))));
        // Asked while no daemon is there: the answer comes when the next one is.
        put(world.folder / "m/request", world.socket("m") + '\n' + http("GET", "/trust-bundle", nullptr));
        for (int i = 0; i < 2000 && fs::exists(world.folder / "m/request"); ++i) co_await world.clock.sleep(5ms);

        Running second(world, world.options(true));
        co_await world.until(world.folder / "m/answer");
        CHECK(parse(text_of(world.folder / "m/answer")).status == 200);
        fs::remove(world.folder / "m/answer");
        const boost::json::object data{{"data", base64_encode("text")}};
        CHECK((co_await world.as("m", world.socket("m"), "POST", "/modules/m/genid/7/sign", &data)).status == 200);
        CHECK((co_await world.as("agent", world.socket("edgeAgent", "mgmt.sock"), "GET", "/identities")).status == 200);
        CHECK(world.starts("m") == 1);
        CHECK(world.starts("agent") == 1);
        CHECK(co_await second.stop() == 0);
    });
}

TEST_CASE("an agent that crashes comes back, and an update of it is answered before it is replaced") {
    World world;
    run(world, [&]() -> Task<> {
        Running daemon(world, world.options());
        co_await world.until_started("agent");
        put(world.folder / "agent/crash", "");
        co_await world.until_started("agent", 2);
        CHECK(world.starts("agent") == 2);
        auto update = spec("edgeAgent");
        update["config"].at("settings").as_object()["image"] = "agent";
        const auto answered = co_await world.as("agent", world.socket("edgeAgent", "mgmt.sock"), "PUT",
                                                "/modules/edgeAgent?start=true", &update);
        CHECK(answered.status == 201);
        co_await world.until_started("agent", 3);
        CHECK(text_of(world.folder / "agent/environment").find("LEVEL=2\n") != std::string::npos);
        CHECK(co_await daemon.stop() == 0);
    });
}

TEST_CASE("an agent that was lost is made as it was, not of the configuration") {
    World world;
    run(world, [&]() -> Task<> {
        {
            Running daemon(world, world.options());
            co_await world.until_started("agent");
            auto update = spec("edgeAgent");
            update["config"].at("settings").as_object()["image"] = "agent";
            CHECK((co_await world.as("agent", world.socket("edgeAgent", "mgmt.sock"), "PUT",
                                     "/modules/edgeAgent?start=true", &update))
                      .status == 201);
            co_await world.until_started("agent", 2);
            CHECK(co_await daemon.stop() == 0);
        }
        fs::remove(world.folder / "agent/environment");
        REQUIRE(fs::remove_all(world.home / "engine/modules") > 0);
        Running daemon(world, world.options());
        co_await world.until(world.folder / "agent/environment");
        const auto environment = text_of(world.folder / "agent/environment");
        CHECK(environment.find("LEVEL=2\n") != std::string::npos);
        CHECK(environment.find("EXTRA=") == std::string::npos);
        CHECK(co_await daemon.stop() == 0);
    });
}

TEST_CASE("an update that can't be done leaves the old module running, and logs and restarts work over the socket") {
    World world;
    world.bundle("m");
    run(world, [&]() -> Task<> {
        Running daemon(world, world.options());
        co_await world.until_started("agent");
        const auto management = world.socket("edgeAgent", "mgmt.sock");
        const auto m = spec("m");
        CHECK((co_await world.as("agent", management, "PUT", "/modules/m?start=true", &m)).status == 404);
        CHECK((co_await world.as("agent", management, "POST", "/modules", &m)).status == 201);
        CHECK((co_await world.as("agent", management, "POST", "/modules/m/start")).status == 204);
        co_await world.until_started("m");
        auto bad = spec("m");
        bad["config"].at("settings").as_object()["image"] = "no/such:image";
        CHECK((co_await world.as("agent", management, "PUT", "/modules/m?start=true", &bad)).status == 404);
        CHECK((co_await world.as("agent", management, "POST", "/modules/m/prepareupdate", &bad)).status == 404);
        const auto other = spec("n");
        CHECK((co_await world.as("agent", management, "PUT", "/modules/m", &other)).status == 400);
        CHECK(world.starts("m") == 1);
        CHECK((co_await world.as_stranger(world.management(), "POST", "/modules/m/restart")).status == 204);
        co_await world.until_started("m", 2);
        CHECK(world.starts("m") == 2);
        CHECK((co_await world.as_stranger(world.management(), "GET", "/modules/m/logs?tail=5")).status == 200);
        CHECK((co_await world.as_stranger(world.management(), "GET", "/modules/m/logs?tail=x")).status == 400);
        CHECK((co_await world.as_stranger(world.management(), "GET", "/modules/none/logs")).status == 404);
        CHECK((co_await world.as_stranger(world.management(), "PATCH", "/modules/m")).status == 400);
        CHECK((co_await world.as_stranger(world.management(), "GET", "/nothing")).status == 404);
        CHECK((co_await world.as_stranger(world.management(), "GET", "/systeminfo")).body.at("osType") == "linux");
        CHECK((co_await world.as_stranger(world.management(), "POST", "/device/reprovision")).status == 403);
        CHECK((co_await world.as("agent", management, "DELETE", "/modules/m")).status == 204);
        CHECK_FALSE(fs::exists(world.socket("m")));
        CHECK((co_await world.as("agent", management, "POST", "/device/reprovision")).status == 204);
        CHECK(co_await daemon.stop() == exit_reprovision);
        // The modules run on; end them.
        Running last(world, world.options());
        co_await world.until_served(world.management());
        CHECK(co_await last.stop() == 0);
    });
}

TEST_CASE("a daemon that can't start says so by its exit status") {
    World world;
    run(world, [&]() -> Task<> {
        put(world.folder / "config.toml", "hostname = 5");
        Running broken(world, world.options());
        CHECK(co_await broken.stop() == exit_bad_config);
        auto absent = world.options();
        absent.config = world.folder / "none";
        Running none(world, absent);
        CHECK(co_await none.stop() == exit_bad_config);
    });
}

TEST_CASE("two daemons never share a home") {
    World world;
    run(world, [&]() -> Task<> {
        Running first(world, world.options());
        co_await world.until_started("agent");
        Running second(world, world.options());
        CHECK(co_await second.stop() == EXIT_FAILURE);
        CHECK(world.starts("agent") == 1);
        CHECK(co_await first.stop() == 0);
    });
}
