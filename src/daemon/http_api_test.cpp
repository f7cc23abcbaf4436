#include "daemon/http_api.hpp"

#include "daemon/log_query.hpp"
#include "daemon/system_info.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <boost/json/value.hpp>

#include <fstream>

using namespace skerry;
using namespace skerry::daemon;
using namespace std::chrono_literals;

namespace {
codec::HttpRequest request(std::string method, std::string target, std::string body = "",
                           std::string type = "application/json") {
    codec::HttpRequest out;
    out.method = std::move(method);
    out.target = std::move(target);
    out.body = std::move(body);
    out.headers.set("Content-Type", std::move(type));
    return out;
}
}  // namespace

TEST_CASE("patterns match whole paths, with a trailing slash for lists only") {
    CHECK(match("modules", {"modules"}));
    CHECK(match("modules", {"modules", ""}));
    CHECK_FALSE(match("modules", {"modules", "a"}));
    CHECK(match("modules/*/start", {"modules", "a/b", "start"}).value() == std::vector<std::string>{"a/b"});
    CHECK_FALSE(match("modules/*", {"modules", ""}));
    CHECK_FALSE(match("modules/*/start", {"modules", "a", "start", ""}));
    CHECK_FALSE(match("modules", {}));
}

TEST_CASE("the API version is asked for and must be known") {
    CHECK(version_of(request("GET", "/modules?api-version=2018-06-28")).value() == 0);
    CHECK(version_of(request("GET", "/modules?api-version=2022-08-03")).value() == api_versions.size() - 1);
    const auto absent = version_of(request("GET", "/modules"));
    REQUIRE_FALSE(absent);
    CHECK(absent.error().status == 400);
    CHECK(absent.error().body == R"({"message":"api-version not specified"})");
    CHECK(version_of(request("GET", "/modules?api-version=x")).error().body ==
          R"({"message":"invalid api-version \"x\""})");
}

TEST_CASE("bodies are refused with the status that says what is wrong") {
    CHECK(body_of(request("POST", "/", R"({"a":1})")).value().contains("a"));
    CHECK(body_of(request("POST", "/")).error().status == 400);
    CHECK(body_of(request("PUT", "/", "{}", "text/plain")).error().status == 415);
    CHECK(body_of(request("POST", "/", "{}", "text/plain")).error().status == 400);
    CHECK(body_of(request("POST", "/", "{")).error().status == 422);
}

TEST_CASE("how long a caller would rather wait is read among its preferences") {
    CHECK(preferred_wait("wait=10") == 10s);
    CHECK(preferred_wait("respond-async, wait=7; x=y") == 7s);
    CHECK(preferred_wait("wait=4000000000") == 24h);
    for (const auto* none : {"", ",", "wait", "wait=", "wait=-1", "wait=99999999999", "await=5", "respond-async"})
        CHECK_MESSAGE(preferred_wait(none) == 0s, none);
}

TEST_CASE("log queries are read, and a bad parameter is named") {
    const auto now = WallTime(std::chrono::seconds(1'700'000'000));
    const auto options = parse_log_query(
        request("GET", "/l?follow=true&tail=5&since=1%20day&until=2023-11-14T22:13:20Z&timestamps=true"), now);
    REQUIRE(options);
    CHECK(options->follow);
    CHECK(options->timestamps);
    CHECK(options->tail == 5U);
    CHECK(options->since == now - 24h);
    CHECK(options->until == now);
    CHECK_FALSE(parse_log_query(request("GET", "/l?tail=all"), now)->tail);
    for (const auto* bad : {"follow=1", "tail=-1", "since=soon", "until=5%20parsecs", "timestamps=x"}) {
        const auto refused = parse_log_query(request("GET", std::string("/l?") + bad), now);
        REQUIRE_FALSE(refused);
        const std::string_view text(bad);
        CHECK(refused.error().text == "invalid parameter: " + std::string(text.substr(0, text.find('='))));
    }
    CHECK(parse_log_time("90m", now) == now - 90min);
    CHECK(parse_log_time("1h 30min", now) == now - 90min);
    CHECK(parse_log_time("1600000000", now) == WallTime(std::chrono::seconds(1'600'000'000)));
    CHECK_FALSE(parse_log_time("99999999999999999999", now));
    CHECK_FALSE(parse_log_time("999999999 weeks", now));
    CHECK_FALSE(parse_log_time("", now));
}

TEST_CASE("the machine is described from its files") {
    CHECK(os_release_value("NAME=\"x\"\nID=debian\nVERSION_ID=\"12\"\n", "VERSION_ID") == "12");
    CHECK(os_release_value("NAME=\"x\"\nID=debian", "ID") == "debian");
    CHECK(os_release_value("", "ID").empty());
    CHECK(meminfo_bytes("MemTotal:       16 kB\nMemFree: 8 kB\n", "MemTotal") == 16 * 1024);
    CHECK(meminfo_bytes("MemTotal:", "MemTotal") == 0);
    const auto files = storage::make_system_files();
    const auto system = describe_system(*files, {{"server_version", "x"}});
    CHECK(system.at("osType") == "linux");
    CHECK(system.at("cpus").get_int64() > 0);
    CHECK(system.at("total_memory").to_number<std::uint64_t>() > 0);
    CHECK(system.at("server_version") == "x");
    sim::TemporaryFolder folder;
    std::ofstream(folder / "info.toml") << "osType = \"other\"\nsite = \"pier 7\"\n[rack]\nunit = 3\n";
    auto more = system;
    CHECK(add_info(*files, folder / "info.toml", more));
    CHECK(more.at("osType") == "linux");
    CHECK(more.at("site") == "pier 7");
    CHECK(more.at("rack").at("unit") == 3);
    std::ofstream(folder / "info.toml") << "osType = ";
    CHECK(add_info(*files, folder / "info.toml", more).error().code == Errc::malformed);
    CHECK(add_info(*files, folder / "none.toml", more).error().code == Errc::not_found);
    CpuMeter processors;
    const auto resources = describe_resources(*files, "/", 5s, processors, {});
    CHECK(resources.at("process_uptime") == 5);
    CHECK(resources.at("used_cpu").as_double() > 0);
    CHECK(resources.at("used_cpu").as_double() <= 100);
    CHECK_FALSE(resources.at("disks").as_array().empty());
}
