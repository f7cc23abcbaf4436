#include "cloud/registry/stores_test.hpp"

#include <doctest/doctest.h>
#include <boost/json/serialize.hpp>

using namespace skerry;
using namespace skerry::cloud;
using boost::json::serialize;

namespace {
ChangedTwin patch(TestStores& test, const std::string& who, std::string_view desired) {
    return test.twins.change(id(who), {.desired = object(desired)}, ChangeKind::patch, {}).value();
}
}  // namespace

TEST_CASE("a new twin has version 1 in both sections and says so to its device") {
    TestStores test;
    test.device("d1");
    const auto twin = test.twins.find(id("d1")).value();
    CHECK(device_view(twin.desired) == object(R"({"$version":1})"));
    CHECK(device_view(twin.reported) == object(R"({"$version":1})"));
    CHECK(twin.etag() == "AAAAAAAAAAE=");
}

TEST_CASE("a desired patch merges, removes nulls, counts up, and is pushed with its nulls and version") {
    TestStores test;
    test.device("d1");
    patch(test, "d1", R"({"a":1,"b":{"c":2,"d":3}})");
    const auto changed = patch(test, "d1", R"({"a":null,"b":{"c":4}})");
    CHECK(device_view(changed.twin.desired) == object(R"({"b":{"c":4,"d":3},"$version":3})"));
    REQUIRE(changed.update);
    CHECK(changed.update->patch == object(R"({"a":null,"b":{"c":4},"$version":3})"));
    CHECK(changed.update->version == 3);
    CHECK(test.twins.find(id("d1")).value().desired.values == changed.twin.desired.values);
}

TEST_CASE("a replacement pushes the whole new section; system members that come back are ignored") {
    TestStores test;
    test.device("d1");
    patch(test, "d1", R"({"a":1})");
    const auto changed = test.twins
                             .change(id("d1"), {.desired = object(R"({"b":2,"n":null,"$version":77,"$metadata":{}})")},
                                     ChangeKind::replace, {})
                             .value();
    CHECK(changed.update->patch == object(R"({"b":2,"$version":3})"));
    CHECK(service_view(changed.twin.desired).at("$metadata").as_object().contains("b"));
    CHECK_FALSE(service_view(changed.twin.desired).at("$metadata").as_object().contains("a"));
}

TEST_CASE("metadata says when each member changed, and in which version") {
    TestStores test;
    test.device("d1");
    patch(test, "d1", R"({"a":{"x":1,"y":2}})");
    test.clock.now += std::chrono::hours(1);
    const auto changed = patch(test, "d1", R"({"a":{"x":5}})");
    const auto& metadata = changed.twin.desired.metadata;
    CHECK(serialize(metadata.at("a").at("x")) ==
          R"({"$lastUpdated":"2026-03-01T11:00:00.0000000Z","$lastUpdatedVersion":3})");
    CHECK(serialize(metadata.at("a").at("y")) ==
          R"({"$lastUpdated":"2026-03-01T10:00:00.0000000Z","$lastUpdatedVersion":2})");
    CHECK(metadata.at("a").at("$lastUpdatedVersion") == 3);
    REQUIRE(test.twins.report(id("d1"), object(R"({"r":1})")));
    const auto twin = test.twins.find(id("d1")).value();
    CHECK_FALSE(twin.reported.metadata.at("r").as_object().contains("$lastUpdatedVersion"));
}

TEST_CASE("tags change without a word to the device") {
    TestStores test;
    test.device("d1");
    const auto changed =
        test.twins.change(id("d1"), {.tags = object(R"({"site":"a"})")}, ChangeKind::patch, {}).value();
    CHECK_FALSE(changed.update);
    CHECK(changed.twin.desired.version == 1);
    CHECK(changed.twin.etag() == "AAAAAAAAAAI=");
    CHECK(test.twins.change(id("d1"), {}, ChangeKind::patch, "AAAAAAAAAAE=").error().code ==
          HubCode::precondition_failed);
}

TEST_CASE("a report counts its own version up and leaves the etag alone") {
    TestStores test;
    test.device("d1");
    CHECK(test.twins.report(id("d1"), object(R"({"state":"ok","$version":9})")).value() == 2);
    CHECK(test.twins.report(id("d1"), object(R"({"state":null})")).value() == 3);
    const auto twin = test.twins.find(id("d1")).value();
    CHECK(twin.reported.values.empty());
    CHECK(twin.etag() == "AAAAAAAAAAE=");
    CHECK(test.twins.report(id("nobody"), {}).error().code == HubCode::device_not_found);
}

TEST_CASE("what breaks the limits is refused with the property's path, and nothing changes") {
    TestStores test;
    test.device("d1");
    const auto refused = [&](std::string_view patch_text) {
        const auto outcome = test.twins.report(id("d1"), object(patch_text));
        return outcome ? std::string("accepted") : outcome.error().text;
    };
    CHECK(refused(R"({"a.b":1})").find("'a.b'") != std::string::npos);
    CHECK(refused(R"({"x":{"$y":1}})").find("properties.reported.x") != std::string::npos);
    CHECK(refused(R"({"a b":1})").find("'a b'") != std::string::npos);
    CHECK(refused(R"({"n":4503599627370496})").find("2^52") != std::string::npos);
    CHECK(refused(R"({"n":-4503599627370496})") == "accepted");
    CHECK(refused(R"({"1":{"2":{"3":{"4":{"5":{"6":{"7":{"8":{"9":{"10":1}}}}}}}}}})") == "accepted");
    CHECK(refused(R"({"1":{"2":{"3":{"4":{"5":{"6":{"7":{"8":{"9":{"10":{"11":1}}}}}}}}}}})").find("deeper") !=
          std::string::npos);
    CHECK(refused(R"({"t":")" + std::string(5000, 't') + R"("})").find("5000 bytes") != std::string::npos);
    boost::json::object large;
    for (int i = 0; i < 9; ++i) large["k" + std::to_string(i)] = std::string(4000, 'x');
    CHECK(test.twins.report(id("d1"), large).error().code == HubCode::message_too_large);
    CHECK(test.twins.find(id("d1")).value().reported.version == 3);
}

TEST_CASE("a deployment replaces the desired sections of its modules and makes those that are missing") {
    TestStores test;
    test.edge("edge");
    patch(test, "edge/$edgeHub", R"({"routes":{"old":"x"}})");
    const auto updates = test.twins
                             .apply_content("edge", object(R"({"modulesContent":{
        "$edgeAgent":{"properties.desired":{"schemaVersion":"1.1"}},
        "$edgeHub":{"properties.desired":{"routes":{"a":"FROM /* INTO $upstream"}}},
        "filter":{"properties.desired":{"threshold":25}}}})"))
                             .value();
    REQUIRE(updates.size() == 3);
    CHECK(updates[1].identity.id() == "edge/$edgeHub");
    CHECK(updates[1].patch == object(R"({"routes":{"a":"FROM /* INTO $upstream"},"$version":3})"));
    CHECK(test.find("edge/filter").managed_by == "IotEdge");
    CHECK(test.twins.find(id("edge/filter")).value().desired.values == object(R"({"threshold":25})"));
}

TEST_CASE("a layered deployment replaces subtrees only") {
    TestStores test;
    test.edge("edge");
    patch(test, "edge/$edgeHub", R"({"routes":{"a":"1","b":"2"},"schemaVersion":"1.1"})");
    REQUIRE(test.twins.apply_content("edge", object(R"({"modulesContent":{
        "$edgeHub":{"properties.desired.routes.b":"3","properties.desired.routes.c":{"route":"4"}}}})")));
    CHECK(test.twins.find(id("edge/$edgeHub")).value().desired.values ==
          object(R"({"routes":{"a":"1","b":"3","c":{"route":"4"}},"schemaVersion":"1.1"})"));
}

TEST_CASE("a bad deployment is refused whole") {
    TestStores test;
    test.edge("edge");
    const auto refused = test.twins.apply_content("edge", object(R"({"modulesContent":{
        "filter":{"properties.desired":{"a":1}}, "$edgeHub":{"desired":{}}}})"));
    CHECK(refused.error().code == HubCode::invalid_configuration_content);
    CHECK(refused.error().text.find("$edgeHub") != std::string::npos);
    CHECK(test.registry.find(id("edge/filter")).error().code == HubCode::module_not_found);
    CHECK(test.twins.apply_content("edge", object("{}")).error().code == HubCode::invalid_configuration_content);
    CHECK(test.twins.apply_content("nobody", object(R"({"modulesContent":{}})")).error().code ==
          HubCode::device_not_found);
}
