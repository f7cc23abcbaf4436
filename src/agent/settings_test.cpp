#include "agent/settings.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace skerry;
using namespace skerry::agent;
using namespace std::chrono_literals;

TEST_CASE("what a deployment says nothing of is as the agent's variables say") {
    const auto settings = Settings::from(daemonapi::Environment({{"SKERRY_ROLLBACK", "off"},
                                                                 {"SKERRY_PROBATION_SECONDS", "5"},
                                                                 {"SKERRY_PROBATION_FAILURES", "0"},
                                                                 {"ModuleUpdateMode", "waitforallpulls"}}));
    CHECK_FALSE(settings.probation.rollback);
    CHECK(settings.probation.window == 5s);
    CHECK(settings.probation.failures_allowed == 0);
    CHECK(settings.wait_for_all_pulls);
}

TEST_CASE("a variable that makes no sense counts as not set") {
    const auto settings = Settings::from(daemonapi::Environment({{"SKERRY_ROLLBACK", "perhaps"},
                                                                 {"SKERRY_PROBATION_SECONDS", "3601"},
                                                                 {"SKERRY_PROBATION_FAILURES", "-1"},
                                                                 {"ModuleUpdateMode", "NonBlocking"}}));
    CHECK(settings.probation.rollback);
    CHECK(settings.probation.window == 60s);
    CHECK(settings.probation.failures_allowed == 3);
    CHECK_FALSE(settings.wait_for_all_pulls);
}

TEST_CASE("where the metrics are and how often things are measured can be set, as with the existing agent") {
    const auto defaults = Settings::from(daemonapi::Environment(std::map<std::string, std::string>{}));
    CHECK(defaults.metrics.enabled);
    CHECK(defaults.metrics.port == 9600);
    CHECK(defaults.metrics.address.empty());
    CHECK(defaults.metrics.suffix == "metrics");
    CHECK(defaults.metrics.measure_every == 5min);
    const auto settings = Settings::from(daemonapi::Environment({{"MetricsEnabled", "false"},
                                                                 {"metrics__listener__host", "*"},
                                                                 {"metrics__listener__port", "9700"},
                                                                 {"metrics__listener__suffix", "/m/"},
                                                                 {"MetricsHistogramMaxAge", "2:30:00"},
                                                                 {"PerformanceMetricsUpdateFrequency", "00:00:01"},
                                                                 {"MetricUploadInterval", "2.01:00:00"},
                                                                 {"MetricScrapeInterval", "soon"}}));
    CHECK_FALSE(settings.metrics.enabled);
    CHECK(settings.metrics.address.empty());
    CHECK(settings.metrics.port == 9700);
    CHECK(settings.metrics.suffix == "m");
    CHECK(settings.metrics.age == 150min);
    CHECK(settings.metrics.measure_every == 5s);
    CHECK(settings.telemetry.upload_every == 49h);
    CHECK(settings.telemetry.scrape_every == 1h);
    for (const auto* bad : {"1", "1:60:00", "25:00:00", "1:00", "-1:00:00", "1:00:00x", "x.1:00:00", "1.:00:00"}) {
        const auto refused = Settings::from(daemonapi::Environment({{"MetricScrapeInterval", bad}}));
        CHECK_MESSAGE(refused.telemetry.scrape_every == 1h, bad);
    }
}

TEST_CASE("a setting without effect is told of when it asks for something else than what happens") {
    const auto told = [](std::map<std::string, std::string> values) {
        std::vector<std::string> names;
        const daemonapi::Environment environment(std::move(values));
        for (const auto* const each : daemonapi::ignored_in(ignored_settings(), environment))
            names.emplace_back(each->name);
        return names;
    };
    CHECK(told({{"Mode", "iotedged"}, {"UPSTREAMPROTOCOL", "mqtt"}, {"ManagementApiTimeoutSecs", "5"}}).empty());
    CHECK(told({{"UpstreamProtocol", "AmqpWs"}, {"https_proxy", "http://proxy:3128"}, {"ConfigSource", "local"}}) ==
          std::vector<std::string>{"UpstreamProtocol", "https_proxy", "ConfigSource"});
}

// docs/agent-settings.md is what users go by: it names every variable once, and none that the program does not know.
TEST_CASE("the page about settings lists every setting once") {
    const auto text_of = [](const char* path) {
        std::ostringstream text;
        text << std::ifstream(std::string(SKERRY_SOURCE_DIR) + path).rdbuf();
        return text.str();
    };
    std::istringstream page(text_of("/docs/agent-settings.md"));
    std::multiset<std::string> listed;
    for (std::string line; std::getline(page, line);)
        if (line.starts_with("| `")) listed.insert(line.substr(3, line.find('`', 3) - 3));
    REQUIRE(listed.size() > 40);
    for (const auto& ignored : ignored_settings())
        CHECK_MESSAGE(listed.count(std::string(ignored.name)) == 1, ignored.name);

    std::string sources;
    for (const auto* file : {"settings.cpp", "settings_ignored.cpp", "deployment.cpp", "agent.cpp"})
        sources += text_of((std::string("/src/agent/") + file).c_str());
    for (const auto& name : listed) {
        CHECK_MESSAGE(listed.count(name) == 1, name);
        const bool many = name.ends_with('*');
        const auto in_source = many ? '"' + name.substr(0, name.size() - 1) : '"' + name + '"';
        CHECK_MESSAGE(sources.find(in_source) != std::string::npos, name);
    }
    // What settings.cpp asks the environment for, by the quotes after the variable's name.
    const auto read = text_of("/src/agent/settings.cpp");
    constexpr std::string_view asking = "(environment, \"";
    for (auto at = read.find(asking); at != std::string::npos; at = read.find(asking, at + 1)) {
        const auto begin = at + asking.size();
        const auto name = read.substr(begin, read.find('"', begin) - begin);
        CHECK_MESSAGE(listed.count(name) == 1, name);
    }
}
