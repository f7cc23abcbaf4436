#include "hub/mqtt/subscriptions.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace skerry;
using namespace skerry::hub::mqtt;
using codec::mqtt::QoS;

namespace {}

TEST_CASE("QoS 2 is granted as 1, and the best matching filter counts") {
    Subscriptions subscriptions;
    CHECK(subscriptions.add("a/#", QoS::at_most_once) == 0);
    CHECK(subscriptions.add("a/b", QoS::exactly_once) == 1);
    CHECK(subscriptions.match("a/b") == QoS::at_least_once);
    CHECK(subscriptions.match("a/c") == QoS::at_most_once);
    CHECK_FALSE(subscriptions.match("b").has_value());
    subscriptions.remove("a/b");
    CHECK(subscriptions.match("a/b") == QoS::at_most_once);
}

TEST_CASE("inputs are matched by MQTT's rules, whatever the SDK subscribes") {
    for (const auto* takes : {"devices/d/modules/m/#", "devices/d/modules/m/inputs/#",
                              "devices/d/modules/m/inputs/in/#", "devices/+/modules/+/inputs/+/+", "#"}) {
        Subscriptions subscriptions;
        (void)subscriptions.add(takes, QoS::at_least_once);
        CHECK_MESSAGE(subscriptions.match_input("devices/d/modules/m/inputs/in").has_value(), takes);
    }
    for (const auto* not_for_us : {"devices/d/modules/other/#", "devices/d/modules/m/inputs/other/#", "$iothub/#"}) {
        Subscriptions subscriptions;
        (void)subscriptions.add(not_for_us, QoS::at_least_once);
        CHECK_FALSE_MESSAGE(subscriptions.match_input("devices/d/modules/m/inputs/in").has_value(), not_for_us);
    }
}

TEST_CASE("filters say what the cloud is to push") {
    const auto device = skerry::model::Identity::device("d").value();
    Subscriptions subscriptions;
    CHECK_FALSE(subscriptions.interests(device).any());
    (void)subscriptions.add("$iothub/twin/res/#", QoS::at_most_once);
    CHECK_FALSE(subscriptions.interests(device).any());
    (void)subscriptions.add("$iothub/methods/POST/#", QoS::at_most_once);
    CHECK(subscriptions.interests(device) == skerry::hub::CloudInterests{.desired = false, .methods = true});
    (void)subscriptions.add("$iothub/twin/PATCH/properties/desired/#", QoS::at_most_once);
    CHECK(subscriptions.interests(device) == skerry::hub::CloudInterests{.desired = true, .methods = true});
}

TEST_CASE("a client has a limited number of filters, of limited length") {
    Subscriptions subscriptions;
    for (int i = 0; i < 50; ++i) CHECK(subscriptions.add(fmt::format("f{}", i), QoS::at_least_once) == 1);
    CHECK(subscriptions.add("one more", QoS::at_least_once) == 0x80);
    CHECK(subscriptions.add("f7", QoS::at_most_once) == 0);  // again: no new one
    CHECK(Subscriptions().add(std::string(1025, 'x'), QoS::at_least_once) == 0x80);
}

TEST_CASE("subscriptions survive as text, and damaged text gives none") {
    Subscriptions subscriptions;
    (void)subscriptions.add("a/#", QoS::at_most_once);
    (void)subscriptions.add("b \"quoted\"/+", QoS::at_least_once);
    const auto again = Subscriptions::from_text(subscriptions.to_text());
    CHECK(again.to_text() == subscriptions.to_text());
    CHECK(again.match("a/x") == QoS::at_most_once);
    for (const auto* damaged : {"", "{", "[]", R"({"a/#/b":1})"}) CHECK(Subscriptions::from_text(damaged).empty());
}
