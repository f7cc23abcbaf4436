#include "daemon/check/check.hpp"

#include "daemon/check/subject.hpp"
#include "sim/temporary_folder.hpp"
#include "sim/world.hpp"

#include <doctest/doctest.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <fstream>
#include <map>

using namespace skerry;
using namespace skerry::daemon;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

struct Bench {
    sim::World world;
    sim::TemporaryFolder folder;
    SystemRandom random;
    std::unique_ptr<storage::Files> files{storage::make_system_files()};

    void configure(std::string_view more = "") {
        std::ofstream(folder / "config.toml") << fmt::format(
            "hostname = \"127.0.0.1\"\n{}\n[provisioning]\nsource = \"manual\"\n"
            "connection_string = \"HostName=hub.test;DeviceId=d;SharedAccessKey=aHVudGVyMg==\"\n"
            "[agent.config]\nimage = \"agent\"\n[connect]\nmanagement_uri = \"unix://{}\"\n"
            "[skerry]\nhome = \"{}\"\n[skerry.engine]\ntype = \"process\"\n",
            more, (folder / "mgmt.sock").native(), folder.path().native());
    }
    CheckReport run(CheckOptions options = {}) {
        options.config = folder / "config.toml";
        return world.run(
            run_checks({world.executor(), world.clock(), random, world.network(), *files}, std::move(options)));
    }
};

std::map<std::string, CheckResult> by_id(const CheckReport& report) {
    std::map<std::string, CheckResult> out;
    for (const auto& result : report.results) out[std::string(result.check.id)] = result;
    return out;
}

}  // namespace

TEST_CASE("a configuration that can't be used is told, and skips what needs it; nothing is left out silently") {
    Bench bench;
    std::ofstream(bench.folder / "config.toml") << "hostname = 7\n";
    const auto report = bench.run();
    CHECK(report.results.size() == list_checks().size());
    auto results = by_id(report);
    CHECK(results["aziot-edged-config-well-formed"].verdict == Verdict::fatal);
    CHECK(results["aziot-edged-config-well-formed"].details.at(0).contains("hostname"));
    CHECK(results["host-connect-iothub-mqtt"].verdict == Verdict::skipped);
    CHECK(report.failed());
    CHECK(report.count(Verdict::skipped) == list_checks().size() - 1);
}

TEST_CASE("a device without daemon and network has errors where it lacks something, and only there") {
    Bench bench;
    bench.configure();
    auto results = by_id(bench.run());
    CHECK(results["aziot-edged-config-well-formed"].verdict == Verdict::ok);
    CHECK(results["hostname"].verdict == Verdict::ok);
    CHECK(results["edge-ca-certificate-expiry"].verdict == Verdict::ignored);
    CHECK(results["container-engine-uri"].verdict == Verdict::ignored);
    CHECK(results["connect-management-uri"].verdict == Verdict::error);
    CHECK(results["connect-management-uri"].details.at(0).contains("mgmt.sock"));
    CHECK(results["modules-running"].verdict == Verdict::skipped);
    CHECK(results["host-connect-iothub-https"].details.at(0).contains("hub.test:443"));
    CHECK(results["host-connect-iothub-mqtt"].details.at(0).contains("hub.test:8883"));
    CHECK(results["host-local-time"].verdict == Verdict::ignored);
}

TEST_CASE("what is asked for is left out; what there is no time for is skipped") {
    Bench bench;
    bench.configure();
    auto left_out = by_id(bench.run({.config = {}, .dont_run = {"hostname"}}));
    CHECK(left_out["hostname"].verdict == Verdict::ignored);
    auto late = by_id(bench.run({.config = {}, .dont_run = {}, .budget = 0s}));
    CHECK(late["aziot-edged-config-well-formed"].verdict == Verdict::skipped);
    CHECK(late["host-connect-iothub-https"].verdict == Verdict::skipped);
}

TEST_CASE("unknown keys are a warning, a trust bundle without a certificate is an error") {
    Bench bench;
    std::ofstream(bench.folder / "ca.pem") << "no certificate";
    bench.configure(
        fmt::format("hostnam = \"x\"\ntrust_bundle_cert = \"file://{}\"", (bench.folder / "ca.pem").native()));
    auto results = by_id(bench.run());
    CHECK(results["aziot-edged-config-well-formed"].verdict == Verdict::warning);
    CHECK(results["aziot-edged-config-well-formed"].details.at(0).contains("hostnam"));
    CHECK(results["certs-read"].verdict == Verdict::error);
}

TEST_CASE("a report is JSON as the existing command writes it, without secrets") {
    Bench bench;
    bench.configure();
    const auto report = report_json(bench.run());
    const auto& info = report.at("additional_info").as_object();
    CHECK(info.at("docker_version").is_null());
    CHECK(info.at("os").at("bitness") == 64);
    CHECK(info.at("system_info").at("total_ram").to_number<double>() > 0);
    CHECK(info.at("system_info").at("disks").as_array().size() == 1);
    CHECK(report.at("checks").at("hostname").at("result") == "ok");
    CHECK(report.at("checks").at("connect-management-uri").at("details").is_array());
    CHECK_FALSE(json::serialize(report).contains("aHVudGVyMg"));
}

TEST_CASE("a report is text with a mark, the reasons, and how many there were of each kind") {
    CheckReport report;
    report.results = {{{"a", "Configuration", "it is there"}, Verdict::ok, {}},
                      {{"b", "Configuration", "it is right"}, Verdict::warning, {"not quite"}},
                      {{"c", "Connectivity", "it is reached"}, Verdict::error, {"no route"}},
                      {{"d", "Connectivity", "it answers"}, Verdict::skipped, {"no use"}}};
    CHECK(report_text(report, true) ==
          "Configuration checks\n--------------------\n√ it is there - OK\n‼ it is right - Warning\n    not quite\n\n"
          "Connectivity checks\n-------------------\n× it is reached - Error\n    no route\n- it answers - Skipped\n"
          "    no use\n\n1 check(s) succeeded.\n1 check(s) raised warnings.\n1 check(s) raised errors.\n"
          "1 check(s) were skipped due to errors from other checks.\n");
    CHECK_FALSE(report_text(report, false).contains("Skipped"));
    CHECK(report_text(report, false).contains("Re-run with --verbose for more details."));
}

TEST_CASE("the time in an HTTP answer is read strictly") {
    CHECK(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT") == WallTime(784111777s));
    for (const auto* bad :
         {"", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 32 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
          "Sun, 06 Nix 1994 08:49:37 GMT", "Sun, -6 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT"})
        CHECK_FALSE_MESSAGE(parse_http_date(bad), bad);
}
