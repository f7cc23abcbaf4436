#include "agent/metrics/metrics.hpp"

#include "agent/metrics/counting_runtime.hpp"
#include "agent/world_test.hpp"
#include "metrics/page_test.hpp"
#include "model/twin.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <boost/json/object.hpp>

#include <fstream>
#include <sstream>

using namespace skerry;
using namespace skerry::agent;
using namespace skerry::agent::testing;
using namespace std::chrono_literals;
using skerry::metrics::testing::Page;

namespace {

const std::set<std::string> odd_names{"edgeAgent_created_pids_total", "edgeagent_direct_method_invocations_count"};

constexpr std::string_view statistics = R"([
 {"name":"/edgeHub","cpu_stats":{"cpu_usage":{"total_usage":1000},"system_cpu_usage":10000},
  "memory_stats":{"usage":500,"limit":9000,"stats":{"cache":100,"inactive_file":50}},"pids_stats":{"current":7},
  "networks":{"eth0":{"rx_bytes":1,"tx_bytes":2},"eth1":{"rx_bytes":10,"tx_bytes":20}},
  "blkio_stats":{"io_service_bytes_recursive":[{"op":"Read","value":5},{"op":"write","value":6},{"op":"Read","value":1},{"op":"Total","value":12}]}},
 {"name":"/filter","cpu_stats":{},"memory_stats":{"usage":10},"blkio_stats":{"io_service_bytes_recursive":null}},
 {"no":"name"}, 5])";

boost::json::object answer(std::string_view stats) {
    return {{"host_uptime", 100},
            {"process_uptime", 50},
            {"used_cpu", 12.5},
            {"used_ram", 1000},
            {"total_ram", 4000},
            {"disks", boost::json::array{boost::json::object{{"name", "/x"},
                                                             {"available_space", 5},
                                                             {"total_space", 10},
                                                             {"file_system", "ext4"},
                                                             {"file_type", "SSD"}}}},
            {"docker_stats", stats}};
}

double value_of(const Page& page, const std::string& name, Page::Labels labels) {
    for (const auto& [series, value] : page.samples()) {
        if (series.first != name) continue;
        bool fits = true;
        for (const auto& [label, wanted] : labels)
            fits = fits && series.second.contains(label) && series.second.at(label) == wanted;
        if (fits) return value;
    }
    return -1;
}

struct Desk {
    World world;
    Metrics metrics{world.clock(), R"(iothub="h")", 1h};
    Availability availability{*world.files, world.clock(), world.folder / "availability"};
    Page page() { return Page(metrics.text(availability, {}), odd_names); }
};

}  // namespace

TEST_CASE("what the machine and the modules use is read from the daemon's answer") {
    const auto resources = parse_resources(answer(statistics)).value();
    CHECK(resources.host_uptime == 100);
    CHECK(resources.disks.at(0).file_type == "SSD");
    REQUIRE(resources.modules.size() == 2);
    const auto& hub = resources.modules[0];
    CHECK(hub.name == "edgeHub");
    CHECK(hub.memory == 450);
    CHECK(hub.network_in == 11);
    CHECK(hub.network_out == 22);
    CHECK(hub.disk_read == 6);
    CHECK(hub.disk_write == 6);
    CHECK(hub.processes == 7);
    CHECK_FALSE(resources.modules[1].cpu);
    CHECK_FALSE(resources.modules[1].disk_read);
    CHECK_FALSE(parse_resources(answer("no list")));
    CHECK(parse_resources(answer("")).value().modules.empty());
}

TEST_CASE("processor time is what was used between two looks, in percent") {
    Desk desk;
    auto resources = parse_resources(answer(statistics)).value();
    desk.metrics.measured(resources);
    resources.modules[0].cpu = 1500;
    resources.modules[0].system_cpu = 12000;
    desk.metrics.measured(resources);
    auto restarted = resources;  // counters begin anew
    restarted.modules[0].cpu = 10;
    restarted.modules[0].system_cpu = 12500;
    desk.metrics.measured(restarted);
    const auto page = desk.page();
    CHECK(value_of(page, "edgeAgent_used_cpu_percent_count", {{"module_name", "edgeHub"}}) == 1);
    CHECK(value_of(page, "edgeAgent_used_cpu_percent_sum", {{"module_name", "edgeHub"}}) == 25);
    CHECK(value_of(page, "edgeAgent_used_cpu_percent_count", {{"module_name", "host"}}) == 3);
    CHECK(value_of(page, "edgeAgent_used_memory_bytes", {{"module_name", "host"}, {"ms_telemetry", "True"}}) == 1000);
    CHECK(value_of(page, "edgeAgent_used_memory_bytes", {{"module_name", "edgeHub"}, {"ms_telemetry", "True"}}) == 450);
    CHECK(value_of(page, "edgeAgent_used_memory_bytes", {{"module_name", "filter"}, {"ms_telemetry", "False"}}) == 10);
    CHECK(value_of(page, "edgeAgent_created_pids_total", {{"module_name", "edgeHub"}, {"ms_telemetry", "False"}}) == 7);
    CHECK(value_of(page, "edgeAgent_available_disk_space_bytes", {{"disk_name", "/x"}, {"ms_telemetry", "True"}}) == 5);
}

TEST_CASE("commands are counted when the daemon is asked, and an update stops the old version and starts the new one") {
    World world;
    Metrics metrics(world.clock(), "", 1h);
    Availability availability(*world.files, world.clock(), world.folder / "availability");
    std::string version = "1";
    CountingRuntime runtime(world.daemon, metrics, world.clock(), [&](const std::string&) { return version; });
    const auto run = [&](Task<> task) {
        TaskScope scope(world.executor());
        scope.spawn("test", std::move(task));
        world.run_for(1s);
    };
    const auto all = [](CountingRuntime& counted, std::string& now) -> Task<> {
        model::ModuleSpec spec;
        spec.name = "filter";
        spec.image = "filter:1";
        CHECK(co_await counted.prepare(spec));
        CHECK(co_await counted.create(spec));
        CHECK(co_await counted.start("filter"));
        now = "2";
        CHECK(co_await counted.update(spec, true));
        CHECK(co_await counted.restart("filter"));
        CHECK(co_await counted.stop("filter"));
        CHECK(co_await counted.list());
        CHECK(co_await counted.remove("filter"));
    };
    run(all(runtime, version));
    world.daemon.away = true;
    const auto refused = [](CountingRuntime& counted) -> Task<> { CHECK_FALSE(co_await counted.start("filter")); };
    run(refused(runtime));
    const Page page(metrics.text(availability, {}), odd_names);
    const auto count = [&](const std::string& what, const std::string& of) {
        return value_of(page, "edgeAgent_module_" + what + "_total",
                        {{"module_name", "filter"}, {"module_version", of}});
    };
    CHECK(count("prepare_update", "1") == 1);
    CHECK(count("start", "1") == 1);
    CHECK(count("stop", "1") == 1);   // by the update
    CHECK(count("start", "2") == 2);  // by the update and the restart
    CHECK(count("stop", "2") == 2);
    for (const auto* kind : {"prepareUpdate", "create", "start", "update", "restart", "stop", "remove"})
        CHECK_MESSAGE(value_of(page, "edgeAgent_command_latency_seconds_count", {{"command", kind}}) == 1, kind);
}

TEST_CASE("a deployment counts once, from its arrival to all of it done") {
    World world;
    std::vector<Duration> took;
    world.on_deployed = [&](Duration one) { took.push_back(one); };
    world.go_online();
    world.boot();
    world.daemon.slow.insert("prepare filter");
    world.deploy(manifest_of({{"filter", boost::json::object()}}));
    world.run_for(30s);
    CHECK(took.empty());
    world.daemon.release();
    world.run_for(30s);
    REQUIRE(took.size() == 1);
    CHECK(took[0] > 29s);
    CHECK(took[0] < 35s);
    CHECK(world.supervisor().version_of("filter").empty());
}

TEST_CASE("counters of a module that has left go ten minutes later") {
    Desk desk;
    desk.metrics.started("gone", "1");
    desk.metrics.started("edgeHub", "");
    desk.metrics.keep({"edgeHub"});
    CHECK(value_of(desk.page(), "edgeAgent_module_start_total", {{"module_name", "gone"}}) == 1);
    desk.world.run_for(11min);
    desk.metrics.keep({"edgeHub"});
    CHECK(value_of(desk.page(), "edgeAgent_module_start_total", {{"module_name", "gone"}}) == -1);
    CHECK(value_of(desk.page(), "edgeAgent_module_start_total", {{"module_name", "edgeHub"}}) == 1);
}

TEST_CASE("names and versions without end are counted together") {
    Desk desk;
    for (int n = 0; n < 3000; ++n) desk.metrics.started(fmt::format("m{}", n), "1");
    CHECK(value_of(desk.page(), "edgeAgent_module_start_total", {{"module_name", "other"}}) == 2000);
}

TEST_CASE("the page about the agent's metrics lists every family with its type, and no other") {
    std::ifstream in(SKERRY_SOURCE_DIR "/docs/agent-metrics.md");
    std::stringstream documented;
    documented << in.rdbuf();
    Desk desk;
    desk.metrics.measured(parse_resources(answer(statistics)).value());
    metrics::ProcessStatus process;
    process.started = 1;
    process.open_files = process.most_files = 1;
    const Page page(desk.metrics.text(desk.availability, process), odd_names);
    for (const auto& [name, type] : page.types())
        CHECK_MESSAGE(documented.str().contains(fmt::format("| `{}` | {} |", name, type)), name);
    for (std::string line; std::getline(documented, line);)
        if (line.starts_with("| `edge"))
            CHECK_MESSAGE(page.types().contains(line.substr(3, line.find('`', 3) - 3)), line);
}
