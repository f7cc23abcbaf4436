#include "engine/moby/status_cache.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::engine::moby;
using namespace std::chrono_literals;

namespace {
model::ModuleStatus named(const char* name) {
    model::ModuleStatus status;
    status.name = name;
    return status;
}
}  // namespace

TEST_CASE("a container that rests is asked about once, and again when a while has passed") {
    StatusCache cache;
    const SteadyTime now{};
    cache.listed({{"1", "running"}});
    CHECK(cache.find("1", now) == nullptr);
    cache.put("1", cache.mark(), named("m"), now);
    cache.listed({{"1", "running"}});
    REQUIRE(cache.find("1", now + 29s) != nullptr);
    CHECK(cache.find("1", now + 29s)->name == "m");
    CHECK(cache.find("1", now + 30s) == nullptr);
}

TEST_CASE("a container is asked about after an event, and when the list shows it otherwise") {
    StatusCache cache;
    const SteadyTime now{};
    cache.listed({{"1", "running (healthy)"}, {"2", "running"}, {"3", "running"}});
    for (const auto* id : {"1", "2", "3"}) cache.put(id, cache.mark(), named(id), now);
    cache.listed({{"1", "running (unhealthy)"}, {"2", "running"}, {"3", "running"}});
    CHECK(cache.find("1", now) == nullptr);
    cache.forget("2");
    CHECK(cache.find("2", now) == nullptr);
    CHECK(cache.find("3", now) != nullptr);
    cache.clear();
    CHECK(cache.find("3", now) == nullptr);
}

TEST_CASE("an answer that an event overtook is not kept, and no entry outlives its container") {
    StatusCache cache;
    const SteadyTime now{};
    cache.listed({{"1", "running"}});
    const auto mark = cache.mark();
    cache.forget("1");
    cache.put("1", mark, named("m"), now);
    CHECK(cache.find("1", now) == nullptr);
    cache.put("1", cache.mark(), named("m"), now);
    CHECK(cache.find("1", now) != nullptr);
    cache.listed({{"2", "running"}});
    CHECK(cache.find("1", now) == nullptr);
    cache.put("1", cache.mark(), named("m"), now);  // gone already
    CHECK(cache.find("1", now) == nullptr);
}
