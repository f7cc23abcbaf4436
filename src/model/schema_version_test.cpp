#include "model/schema_version.hpp"

#include <doctest/doctest.h>

using namespace skerry::model;

TEST_CASE("a schema version is two to four dotted numbers") {
    const auto version = parse_schema_version("1.25");
    REQUIRE(version);
    CHECK(version->major == 1);
    CHECK(version->minor == 25);
    CHECK(parse_schema_version("1.0.0.7"));
    for (const auto* bad : {"", "1", "1.", ".1", "1.0.", "a.b", "1.-1", "1.0.0.0.0", "1.0 ", "99999999999.0", "1.0x"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_schema_version(bad));
    }
}
