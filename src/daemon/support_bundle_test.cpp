#include "daemon/support_bundle.hpp"

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/recent_log.hpp"
#include "model/twin.hpp"
#include "net/network.hpp"
#include "sim/temporary_folder.hpp"
#include "sim/world.hpp"

#include <doctest/doctest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace skerry;
using namespace skerry::daemon;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

std::string framed(std::string_view text) {
    std::string out{'\1', '\0', '\0', '\0'};
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(text.size() >> shift & 0xff));
    return out + std::string(text);
}

// Modules that have logs, and secrets.
class FakeEngine final : public engine::Engine {
public:
    std::map<std::string, std::string> logs_of{{"edgeAgent", "agent speaks\n"}, {"sensor", "1\n2\n"}};
    bool containers{false};
    std::string broken;     // whose log can't be read
    std::size_t repeat{1};  // how often each log is said
    engine::LogOptions asked;
    std::size_t said{0};

    Task<> open() override { co_return; }
    Task<Result<>> prepare(const model::ModuleSpec&) override { co_return Result<>{}; }
    Task<Result<>> create(const model::ModuleSpec&) override { co_return Result<>{}; }
    Task<Result<>> start(std::string) override { co_return Result<>{}; }
    Task<Result<>> stop(std::string, Duration) override { co_return Result<>{}; }
    Task<Result<>> remove(std::string) override { co_return Result<>{}; }
    Task<Result<std::vector<model::ModuleStatus>>> list() override {
        std::vector<model::ModuleStatus> all;
        for (const auto& [name, log] : logs_of) {
            auto& module = all.emplace_back();
            module.name = name;
            module.image = "an:image";
            module.create_options = {
                {"Env", json::array{"PASS=hunter2"}},
                {"Labels", json::object{{"net.azure-devices.edge.env", R"({"A":{"value":"hunter2"}})"}}}};
        }
        co_return all;
    }
    Task<Result<model::ModuleStatus>> inspect(std::string) override { co_return fail(Errc::not_found, ""); }
    Task<Result<>> logs(std::string name, engine::LogOptions options,
                        std::function<Task<bool>(std::string)> on_frame) override {
        asked = options;
        if (name == broken) co_return fail(Errc::io, "the disk is gone");
        for (std::size_t n = 0; n < repeat; ++n, ++said)
            if (!co_await on_frame(framed(logs_of[name]))) break;
        co_return Result<>{};
    }
    Task<Result<json::object>> describe(std::string name) override {
        if (!containers) co_return fail(Errc::unsupported, "");
        if (name == broken) co_return fail(Errc::unreachable, "the engine is gone");
        co_return json::object{{"Id", "c0ffee"},
                               {"Name", "/" + name},
                               {"Args", json::array{"--token", "hunter2", "-v"}},
                               {"Config", json::object{{"Env", json::array{"PASS=hunter2"}},
                                                       {"Labels", json::object{{"net.azure-devices.edge.create-options",
                                                                                R"({"Env":["PASS=hunter2"]})"}}}}}};
    }
    Task<Result<json::array>> describe_networks() override {
        if (!containers) co_return fail(Errc::unsupported, "");
        if (!broken.empty()) co_return fail(Errc::unreachable, "the engine is gone");
        co_return json::array{json::object{{"Name", "azure-iot-edge"}, {"Driver", "bridge"}},
                              json::object{{"Name", "../up"}}};
    }
    bool owns_process(std::string_view, pid_t) override { return false; }
    std::uint64_t changes() const override { return 0; }
    Task<> wait_change(std::uint64_t) override { co_return; }
    Task<Result<json::array>> statistics() override { co_return json::array{}; }
    Result<int> listener(const std::string&, const std::string&) override { return fail(Errc::unsupported, ""); }
    Result<std::optional<std::filesystem::path>> storage(const std::string&) override { return std::nullopt; }
    Task<> close() override { co_return; }
    json::object info() const override { return {{"server_version", "9"}}; }
};

struct Desk {
    sim::World world;
    sim::TemporaryFolder folder;
    SystemRandom random;
    std::unique_ptr<storage::Files> files{storage::make_system_files()};
    FakeEngine engine;
    std::function<Task<std::optional<std::string>>()> next;

    void begin(BundleOptions options = {}) {
        std::ofstream(folder / "config.toml") << "hostname = \"h\"\n[provisioning.authentication]\n"
                                                 "device_id_pk = { value = \"hunter2\" }\n"
                                                 "[agent.env]\nhttps_proxy = \"http://u:hunter2@p\"\n";
        next = stream_bundle({.platform = {world.executor(), world.clock(), random, world.network(), *files},
                              .engine = engine,
                              .home = folder.path(),
                              .config = folder / "config.toml",
                              .process_uptime = 5s},
                             options);
    }
    // What an unpacker that is not ours finds: {"name": "text"}.
    json::object unpacked() {
        std::string archive;
        world.run(take_all(archive));
        std::ofstream(folder / "b.zip", std::ios::binary) << archive;
        std::ofstream(folder / "p.py") << "import sys, json, zipfile\nz = zipfile.ZipFile(sys.argv[1])\n"
                                          "assert z.testzip() is None\n"
                                          "print(json.dumps({n: z.read(n).decode() for n in z.namelist()}))\n";
        const auto command = "python3 " + (folder / "p.py").native() + " " + (folder / "b.zip").native() + " > " +
                             (folder / "out").native();
        REQUIRE(std::system(command.c_str()) == 0);
        std::stringstream out;
        out << std::ifstream(folder / "out").rdbuf();
        CHECK_FALSE(out.str().contains("hunter2"));
        return model::parse_object(out.str()).value();
    }
    Task<> take_all(std::string& archive) {
        while (auto piece = co_await next()) archive += *piece;
    }
};

std::string text(const json::object& files, std::string_view name) {
    const auto* found = files.if_contains(name);
    return found == nullptr ? "(missing)" : std::string(found->as_string());
}

}  // namespace

TEST_CASE("a support bundle has the logs, the modules, the machine and the configuration, and no secrets") {
    Desk desk;
    desk.begin({.since = WallTime(5s), .until = WallTime(9s), .edge_runtime_only = false});
    const auto files = desk.unpacked();
    CHECK(text(files, "logs/edgeAgent_log.txt") == "agent speaks\n");
    CHECK(text(files, "logs/sensor_log.txt") == "1\n2\n");
    CHECK(desk.engine.asked.timestamps);
    CHECK(desk.engine.asked.since == WallTime(5s));
    CHECK(desk.engine.asked.until == WallTime(9s));
    CHECK(text(files, "inspect/sensor.json").contains("PASS=****"));
    CHECK(text(files, "modules.json").contains("an:image"));
    CHECK(text(files, "systeminfo.json").contains(R"("server_version":"9")"));
    CHECK(text(files, "resources.json").contains(R"("process_uptime":5)"));
    CHECK(text(files, "config.json").contains(R"("hostname":"h")"));
}

TEST_CASE("of containers the bundle has what the engine says of them and of the networks, without secrets") {
    Desk desk;
    desk.engine.containers = true;
    desk.begin();
    const auto files = desk.unpacked();
    const auto inspected = json::parse(text(files, "inspect/sensor.json")).as_array();
    CHECK(inspected.at(0).at("Id") == "c0ffee");
    CHECK(inspected.at(0).at("Args") == json::array{"--token", "****", "-v"});
    CHECK(inspected.at(0).at("Config").at("Env") == json::array{"PASS=****"});
    CHECK(json::parse(text(files, "network/azure-iot-edge.json")).at(0).at("Driver") == "bridge");
    CHECK(files.contains("network/_.._up.json"));
    CHECK(text(files, "modules.json").contains("an:image"));
}

TEST_CASE("what the engine does not say is noted in its place") {
    Desk desk;
    desk.engine.containers = true;
    desk.engine.broken = "sensor";
    desk.begin();
    const auto files = desk.unpacked();
    CHECK(text(files, "inspect/sensor.json").contains(R"("inspectError":"the engine is gone")"));
    CHECK(text(files, "inspect/sensor.json").contains(R"("name":"sensor")"));
    CHECK(text(files, "network/error.txt") == "the engine is gone\n");
}

TEST_CASE("without a journal the bundle has what the daemon remembers of its log, within the time that was asked for") {
    log::keep_recent(1024);
    log::info("before {}", "the bundle");
    Desk desk;
    desk.begin();
    CHECK(text(desk.unpacked(), "logs/skerry-daemon.txt").contains("[INF] - before the bundle\n"));
    Desk later;
    later.begin({.since = SystemClock().wall() + 1h, .until = {}, .edge_runtime_only = false});
    const auto nothing = text(later.unpacked(), "logs/skerry-daemon.txt");
    CHECK(nothing.contains("does not write to systemd's journal"));
    CHECK_FALSE(nothing.contains("before the bundle"));
}

TEST_CASE("of the runtime only means no module of the user") {
    Desk desk;
    desk.begin({.since = {}, .until = {}, .edge_runtime_only = true});
    const auto files = desk.unpacked();
    CHECK(files.contains("logs/edgeAgent_log.txt"));
    CHECK_FALSE(files.contains("logs/sensor_log.txt"));
    CHECK_FALSE(files.contains("inspect/sensor.json"));
}

TEST_CASE("a log that can't be read says so and hides nothing else; names lead nowhere") {
    Desk desk;
    desk.engine.broken = "edgeAgent";
    desk.engine.logs_of["../../etc/passwd"] = "x\n";
    desk.begin();
    const auto files = desk.unpacked();
    CHECK(text(files, "logs/edgeAgent_log.txt").contains("the disk is gone"));
    CHECK(text(files, "logs/sensor_log.txt") == "1\n2\n");
    for (const auto& [name, content] : files) CHECK_FALSE(std::string_view(name).contains("../"));
}

TEST_CASE("a bundle is made at the pace of who takes it, and ends with him") {
    Desk desk;
    desk.engine.repeat = 2'000'000;  // they are alike, and get small
    std::string noise;
    unsigned seed = 1;
    for (int i = 0; i < 1000; ++i) noise += static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
    desk.engine.logs_of = {{"noisy", noise}};
    desk.begin();
    desk.world.run_for(1min);
    CHECK(desk.engine.said > 0);
    CHECK(desk.engine.said < 200'000);
    const auto before = desk.engine.said;
    desk.next = nullptr;
    desk.world.run_for(1min);
    CHECK(desk.engine.said == before);
}

TEST_CASE("what must not leave the device is taken out by its name and by its place") {
    const auto document = model::parse_object(
        R"({"a":{"password":"x","sas_token":"x","device_id_pk":"x","shared_access_key":{"value":"x"}},)"
        R"("env":{"ANY":"x","N":5},"Env":["A=x","B"],"Cmd":["run","--password=x","-v"],)"
        R"("proxy":"https://u:x@p:1/","image":"r/i:1","auth":{"username":"x"},)"
        R"("Labels":{"net.azure-devices.edge.create-options":"{\"Env\":[\"A=x\"],\"Image\":\"i\"}","l":"v"},)"
        R"("connection_string":"x","pin":"x","mapping":"kept","list":[{"key":"x"}]})");
    const auto clean = json::serialize(redacted(document.value()));
    CHECK(clean ==
          R"({"a":{"password":"****","sas_token":"****","device_id_pk":"****","shared_access_key":{"value":"****"}},)"
          R"("env":{"ANY":"****","N":"****"},"Env":["A=****","****"],"Cmd":["run","--password=****","-v"],)"
          R"("proxy":"https://****@p:1/","image":"r/i:1","auth":{"username":"****"},)"
          R"("Labels":{"net.azure-devices.edge.create-options":"{\"Env\":[\"A=****\"],\"Image\":\"i\"}","l":"v"},)"
          R"("connection_string":"****","pin":"****","mapping":"kept","list":[{"key":"****"}]})");
}

TEST_CASE("the bundle's query is checked") {
    const auto ask = [](std::string query) {
        codec::HttpRequest request;
        request.target = "/systeminfo/supportbundle?api-version=2022-08-03" + query;
        return parse_bundle_query(request, WallTime(100s));
    };
    CHECK(ask("&since=50&until=20s&edge_runtime_only=true&host=x&iothub_hostname=y")->edge_runtime_only);
    CHECK(ask("&since=50")->since == WallTime(50s));
    CHECK(ask("&until=20s")->until == WallTime(80s));
    CHECK(ask("&since=never").error().text == "invalid parameter: since");
    CHECK(ask("&until=never").error().text == "invalid parameter: until");
    CHECK(ask("&edge_runtime_only=1").error().text == "invalid parameter: edge_runtime_only");
    CHECK_FALSE(ask("")->edge_runtime_only);
}
