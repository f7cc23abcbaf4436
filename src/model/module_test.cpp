#include "model/module.hpp"

#include <doctest/doctest.h>

using namespace skerry::model;

TEST_CASE("runtime states read back what they are called, and anything else is unknown") {
    for (const auto state : {RuntimeState::unknown, RuntimeState::running, RuntimeState::stopped, RuntimeState::failed,
                             RuntimeState::dead})
        CHECK(parse_runtime_state(name_of(state)) == state);
    CHECK(parse_runtime_state("Running") == RuntimeState::running);
    CHECK(parse_runtime_state("paused") == RuntimeState::unknown);
}
