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
