#include "cloud/registry/stores_test.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::cloud;
using namespace std::chrono_literals;

TEST_CASE("a device and a module connect with a token of their own key, until it expires") {
    TestStores test;
    test.device("d1");
    test.module("d1", "m1");
    const auto access = test.authenticator.connect(id("d1"), {}, test.token("d1", 1h)).value();
    CHECK(access.valid_until == test.clock.now + 1h);
    CHECK(access.scope == "device");
    CHECK(test.authenticator.connect(id("d1/m1"), {}, test.token("d1/m1")).value().scope == "module");
    CHECK(test.authenticator.connect(id("d1"), {}, test.token("d1", -1min)));  // clocks differ
    CHECK(test.authenticator.connect(id("d1"), {}, test.token("d1", -6min)).error().code == HubCode::unauthorized);
}

TEST_CASE("nobody connects with somebody else's token") {
    TestStores test;
    test.device("d1");
    test.device("d11");
    test.module("d1", "m1");
    CHECK_FALSE(test.authenticator.connect(id("d11"), {}, test.token("d1")));
    CHECK_FALSE(test.authenticator.connect(id("d1"), {}, test.token("d1/m1")));
    CHECK_FALSE(test.authenticator.connect(id("d1/m1"), {}, test.token("d1")));  // signed with the device's key
    CHECK_FALSE(test.authenticator.connect(id("nobody"), {}, test.token("d1")));
    CHECK_FALSE(test.authenticator.connect(id("d1"), {}, "nonsense"));
    auto token = test.token("d1");
    token.replace(token.find("d1&"), 3, "d2&");
    CHECK_FALSE(test.authenticator.connect(id("d2"), {}, token));
}

TEST_CASE("a disabled device is refused, with all of its modules") {
    TestStores test;
    test.device("d1");
    test.module("d1", "m1");
    const auto token = test.token("d1");
    const auto module_token = test.token("d1/m1");
    REQUIRE(test.registry.put(id("d1"), {.enabled = false}, "*"));
    CHECK(test.authenticator.connect(id("d1"), {}, token).error().code == HubCode::device_disabled);
    CHECK(test.authenticator.connect(id("d1/m1"), {}, module_token).error().code == HubCode::device_disabled);
}

TEST_CASE("a policy's token connects any device when the policy may") {
    TestStores test;
    test.device("d1");
    CHECK(test.authenticator.connect(id("d1"), {}, test.policy_token("device")).value().scope == "hub");
    CHECK(test.authenticator.connect(id("d1"), {}, test.policy_token("service")).error().code ==
          HubCode::unauthorized_access);
}

TEST_CASE("an edge hub connects its modules and children with its own token") {
    TestStores test;
    const auto top = test.edge("top");
    const auto child = test.edge("child", top.device_scope);
    test.device("leaf", {.device_scope = child.device_scope});
    test.device("stranger");
    test.module("child", "filter");
    const auto child_hub = test.token("child/$edgeHub");
    const auto top_hub = test.token("top/$edgeHub");
    CHECK(test.authenticator.connect(id("leaf"), {"leaf", "child"}, child_hub));
    CHECK(test.authenticator.connect(id("leaf"), {"leaf", "child", "top"}, top_hub));
    CHECK(test.authenticator.connect(id("child/filter"), {"child/filter", "child"}, child_hub));
    CHECK(test.authenticator.connect(id("leaf"), {}, child_hub));  // without a chain: its parent only
    CHECK(test.authenticator.connect(id("child/filter"), {}, child_hub));
    CHECK_FALSE(test.authenticator.connect(id("leaf"), {}, top_hub));
    CHECK_FALSE(test.authenticator.connect(id("leaf"), {"leaf", "top"}, top_hub));
    CHECK_FALSE(test.authenticator.connect(id("stranger"), {"stranger", "child"}, child_hub));
    CHECK_FALSE(test.authenticator.connect(id("leaf"), {"leaf", "child"}, top_hub));
    CHECK_FALSE(test.authenticator.connect(id("leaf"), {"child/filter", "child"}, child_hub));
    CHECK_FALSE(test.authenticator.connect(id("leaf"), {"leaf", "child"}, test.token("child/filter")));
}

TEST_CASE("a device connects with the certificate that the registry describes, until it expires") {
    TestStores test;
    const auto key = crypto::generate_private_key_pem(crypto::KeyKind::p256).value();
    const std::vector own{test.certificate_of("any name", key, true)};
    const std::vector other{test.certificate_of("any name", key, true)};
    const std::vector issued{test.certificate_of("signed", key, false, 10min)};
    const auto read = crypto::parse_certificate(own.front()).value();
    test.device("first", {.type = AuthenticationType::self_signed, .primary_thumbprint = read.sha1_thumbprint});
    test.device("second", {.type = AuthenticationType::self_signed, .secondary_thumbprint = read.sha256_thumbprint});
    test.device("signed", {.type = AuthenticationType::certificate_authority});
    test.device("keys");
    const auto connect = [&](const char* who, const std::vector<std::string>& chain) {
        return test.authenticator.connect_with_certificate(id(who), chain);
    };
    CHECK(connect("first", own).value().type == "x509");
    CHECK(connect("second", own));
    CHECK(connect("signed", issued).value().valid_until == test.clock.now + 10min);
    for (const auto& [who, chain] : std::vector<std::pair<const char*, std::vector<std::string>>>{
             {"first", other}, {"first", issued}, {"first", {}}, {"signed", own}, {"keys", own}, {"keys", issued}})
        CHECK(connect(who, chain).error().code == HubCode::unauthorized);
    CHECK(connect("signed", {test.certificate_of("Signed", key, false)}).error().code == HubCode::unauthorized);
    CHECK(connect("signed", {test.certificate_of("signed", key, true)}).error().code == HubCode::unauthorized);
    CHECK_FALSE(connect("nobody", own));
    CHECK_FALSE(test.authenticator.connect(id("first"), {}, "a token"));

    const std::vector of_first{id("first")};
    CHECK(test.authenticator.authorize_certificate(own, of_first));
    CHECK_FALSE(test.authenticator.authorize_certificate(own, {}));
    CHECK_FALSE(test.authenticator.authorize_certificate(other, of_first));

    REQUIRE(test.registry.put(id("first"), {.enabled = false}, "*"));
    CHECK(connect("first", own).error().code == HubCode::device_disabled);
    CHECK_FALSE(test.authenticator.authorize_certificate(own, of_first));
    test.clock.now += 2h;
    CHECK(connect("second", own).error().code == HubCode::unauthorized);
    CHECK(connect("signed", issued).error().code == HubCode::unauthorized);
}

TEST_CASE("requests need a policy with the right, or the key of one who is named") {
    TestStores test;
    test.device("d1");
    test.device("d2");
    const std::vector<model::Identity> d1{id("d1")};
    const auto allowed = [&](const std::string& token, Rights rights,
                             const std::vector<model::Identity>& identities = {}) {
        return test.authenticator.authorize(token, rights, identities).has_value();
    };
    CHECK(allowed(test.policy_token("iothubowner"), registry_write));
    CHECK(allowed(test.policy_token("registryReadWrite"), registry_read));
    CHECK(allowed(test.policy_token("service"), service_connect));
    CHECK_FALSE(allowed(test.policy_token("registryRead"), registry_write));
    CHECK_FALSE(allowed(test.policy_token("registryRead", -1h), registry_read));
    CHECK(allowed(test.token("d1"), registry_write, d1));
    CHECK_FALSE(allowed(test.token("d2"), registry_write, d1));
    CHECK_FALSE(allowed(test.token("d1"), registry_write));
    auto forged = test.policy_token("service");
    forged.replace(forged.find("skn=service"), 11, "skn=iothubowner");
    CHECK_FALSE(allowed(forged, registry_write));
}

TEST_CASE("the identity service's lower-cased resource is accepted") {
    TestStores test;
    const auto device = test.device("Edge-1");
    const auto token = iothub::make_sas(
        "hub.test/devices/edge-1", base64_decode(device.authentication.keys.primary).value(), test.clock.now + 30s);
    const std::vector<model::Identity> identities{id("Edge-1")};
    CHECK(test.authenticator.authorize(token, registry_write, identities));
}

TEST_CASE("policies and their keys are made once") {
    CountingRandom random;
    const auto database = storage::Database::open(
                              ":memory:",
                              std::array<std::string_view, 1>{
                                  "CREATE TABLE policies(name TEXT PRIMARY KEY, primary_key TEXT, secondary_key TEXT)"})
                              .value();
    const auto first = load_policies(*database, random).value();
    const auto second = load_policies(*database, random).value();
    REQUIRE(first.size() == 5);
    CHECK(first[0].keys.primary == second[0].keys.primary);
    CHECK(connection_string("h", first[1]) ==
          "HostName=h;SharedAccessKeyName=service;SharedAccessKey=" + first[1].keys.primary);
}
