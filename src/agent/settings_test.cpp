#include "agent/settings.hpp"

#include <doctest/doctest.h>

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
