#include "agent/twin_copy.hpp"

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

using namespace skerry::agent;
namespace json = boost::json;

namespace {

json::object object(std::string_view text) { return json::parse(text).as_object(); }

TwinCopy copy_of_version_4() {
    TwinCopy copy;
    REQUIRE(copy.replace(
        object(R"({"desired":{"a":1,"b":{"c":2},"$version":4,"$metadata":{}},"reported":{"r":1,"$version":9}})")));
    return copy;
}

}  // namespace

TEST_CASE("the twin's own members are left out") {
    const auto copy = copy_of_version_4();
    CHECK(copy.desired() == object(R"({"a":1,"b":{"c":2}})"));
    CHECK(copy.reported() == object(R"({"r":1})"));
    CHECK(copy.version() == 4);
}

TEST_CASE("the next patch is merged, null deletes") {
    auto copy = copy_of_version_4();
    CHECK(copy.patch_desired(object(R"({"a":null,"b":{"d":3},"$version":5})")) == TwinCopy::Patched::applied);
    CHECK(copy.desired() == object(R"({"b":{"c":2,"d":3}})"));
    CHECK(copy.version() == 5);
}

TEST_CASE("a patch that skips a version, or has none, shows a gap and changes nothing") {
    auto copy = copy_of_version_4();
    CHECK(copy.patch_desired(object(R"({"a":7,"$version":6})")) == TwinCopy::Patched::gap);
    CHECK(copy.patch_desired(object(R"({"a":7})")) == TwinCopy::Patched::gap);
    CHECK(copy.desired().at("a") == 1);
    CHECK(TwinCopy().patch_desired(object(R"({"a":7,"$version":1})")) == TwinCopy::Patched::gap);
}

TEST_CASE("a patch that is in the copy already is ignored") {
    auto copy = copy_of_version_4();
    CHECK(copy.patch_desired(object(R"({"a":7,"$version":4})")) == TwinCopy::Patched::ignored);
    CHECK(copy.desired().at("a") == 1);
}

TEST_CASE("an answer that is older than a patch that came since is not taken") {
    auto copy = copy_of_version_4();
    CHECK(copy.patch_desired(object(R"({"a":7,"$version":6})")) == TwinCopy::Patched::gap);
    CHECK_FALSE(copy.replace(object(R"({"desired":{"a":2,"$version":5},"reported":{}})")));
    CHECK(copy.version() == 4);
    CHECK(copy.replace(object(R"({"desired":{"a":7,"$version":6},"reported":{}})")));
    CHECK(copy.version() == 6);
}

TEST_CASE("after a reconnect versions may start anew") {
    auto copy = copy_of_version_4();
    CHECK(copy.patch_desired(object(R"({"$version":5})")) == TwinCopy::Patched::applied);
    copy.reconnected();
    CHECK(copy.replace(object(R"({"desired":{"$version":1},"reported":{}})")));
    CHECK(copy.version() == 1);
}

TEST_CASE("a twin with missing or odd parts is an empty one") {
    TwinCopy copy;
    CHECK(copy.replace(object(R"({"desired":7})")));
    CHECK(copy.complete());
    CHECK(copy.desired().empty());
    CHECK(copy.reported().empty());
}
