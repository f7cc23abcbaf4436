#include "cloud/registry/stores_test.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::cloud;

TEST_CASE("a device is created once, with keys, an etag and a generation of its own") {
    TestStores test;
    const auto made = test.device("d1");
    CHECK(base64_decode(made.authentication.keys.primary).value().size() == 32);
    CHECK(made.authentication.keys.primary != made.authentication.keys.secondary);
    CHECK(made.enabled);
    CHECK(test.find("d1").etag == made.etag);
    CHECK(test.registry.put(id("d1"), {}, {}).error().code == HubCode::device_already_exists);
    REQUIRE(test.registry.remove(id("d1"), {}));
    CHECK(test.registry.find(id("d1")).error().code == HubCode::device_not_found);
    CHECK(test.device("d1").generation_id != made.generation_id);
}

TEST_CASE("keys that a client chose are kept, bad ones refused without naming them") {
    TestStores test;
    const auto key = base64_encode(std::string(32, 'k'));
    const auto made = test.device("d1", {.primary_key = key, .secondary_key = ""});
    CHECK(made.authentication.keys.primary == key);
    CHECK(made.authentication.keys.secondary != "");
    const auto refused = test.registry.put(id("d2"), {.primary_key = "c2VjcmV0"}, {});
    CHECK(refused.error().code == HubCode::argument_invalid);
    CHECK(refused.error().text.find("c2VjcmV0") == std::string::npos);
    CHECK(test.registry.find(id("d2")).error().code == HubCode::device_not_found);
}

TEST_CASE("If-Match guards updates and deletions; every write changes the etag") {
    TestStores test;
    const auto made = test.device("d1");
    CHECK(test.registry.put(id("d1"), {.enabled = false}, "abc").error().code == HubCode::precondition_failed);
    const auto changed = test.registry.put(id("d1"), {.enabled = false, .status_reason = "stolen"}, made.etag);
    REQUIRE(changed);
    CHECK(changed->etag != made.etag);
    CHECK_FALSE(test.find("d1").enabled);
    CHECK(test.find("d1").status_updated == test.clock.now);
    CHECK(test.find("d1").authentication.keys.primary == made.authentication.keys.primary);
    CHECK(test.registry.put(id("nobody"), {}, "*").error().code == HubCode::device_not_found);
    CHECK(test.registry.remove(id("d1"), made.etag).error().code == HubCode::precondition_failed);
    CHECK(test.registry.remove(id("d1"), "*"));
    CHECK(test.registry.remove(id("d1"), "*").error().code == HubCode::device_not_found);
}

TEST_CASE("an edge device has its scope, $edgeAgent and $edgeHub, each with keys and a twin") {
    TestStores test;
    const auto edge = test.edge("edge1");
    CHECK(edge.device_scope == "ms-azure-iot-edge://edge1-" + edge.generation_id);
    const auto modules = test.registry.modules("edge1").value();
    REQUIRE(modules.size() == 2);
    CHECK(modules[0].identity.module_id() == "$edgeAgent");
    CHECK(modules[1].identity.module_id() == "$edgeHub");
    CHECK_FALSE(modules[0].authentication.keys.primary.empty());
    CHECK(test.twins.find(id("edge1/$edgeHub")));
    CHECK(test.registry.remove(id("edge1/$edgeHub"), "*").error().code == HubCode::system_module_modify);
    CHECK(test.registry.put(id("edge1/$mine"), {}, {}).error().code == HubCode::argument_invalid);
    REQUIRE(test.registry.remove(id("edge1"), {}));
    CHECK(test.registry.find(id("edge1/$edgeHub")).error().code == HubCode::device_not_found);
    CHECK(test.twins.find(id("edge1/$edgeHub")).error().code == HubCode::device_not_found);
}

TEST_CASE("a plain device can become an edge device, an edge device stays one") {
    TestStores test;
    test.device("d1");
    const auto edge = test.registry.put(id("d1"), {.iot_edge = true}, "*").value();
    CHECK(edge.device_scope.starts_with("ms-azure-iot-edge://d1-"));
    CHECK(test.registry.modules("d1").value().size() == 2);
    CHECK(test.registry.put(id("d1"), {.iot_edge = false}, "*").error().code == HubCode::argument_invalid);
}

TEST_CASE("a leaf names its parent by either scope member, and both stay in step") {
    TestStores test;
    const auto edge = test.edge("edge1");
    const auto other = test.edge("edge2");
    auto leaf = test.device("leaf1", {.device_scope = edge.device_scope});
    CHECK(leaf.device_scope == edge.device_scope);
    CHECK(leaf.parent_scope == edge.device_scope);
    leaf = test.registry
               .put(id("leaf1"), {.device_scope = leaf.device_scope, .parent_scopes = {{other.device_scope}}}, "*")
               .value();
    CHECK(leaf.device_scope == other.device_scope);
    leaf = test.registry
               .put(id("leaf1"), {.device_scope = edge.device_scope, .parent_scopes = {{other.device_scope}}}, "*")
               .value();
    CHECK(leaf.parent_scope == edge.device_scope);
    CHECK(test.registry.put(id("leaf1"), {.device_scope = "random"}, "*").error().code ==
          HubCode::invalid_device_scope);
    CHECK(test.find("leaf1").device_scope == edge.device_scope);
    leaf = test.registry.put(id("leaf1"), {.device_scope = leaf.device_scope, .parent_scopes = {{}}}, "*").value();
    CHECK(leaf.device_scope.empty());
}

TEST_CASE("edge devices nest, but never in a circle") {
    TestStores test;
    const auto top = test.edge("top");
    const auto child = test.edge("child", top.device_scope);
    CHECK(child.parent_scope == top.device_scope);
    CHECK(child.device_scope != top.device_scope);
    CHECK(test.registry.put(id("top"), {.parent_scopes = {{child.device_scope}}}, "*").error().code ==
          HubCode::invalid_device_scope);
    CHECK(test.registry.put(id("top"), {.device_scope = "other"}, "*").error().code == HubCode::invalid_device_scope);
}

TEST_CASE("children of a deleted edge device stay, without a parent") {
    TestStores test;
    const auto top = test.edge("top");
    const auto child = test.edge("child", top.device_scope);
    test.device("leaf", {.device_scope = top.device_scope});
    REQUIRE(test.registry.remove(id("top"), {}));
    CHECK(test.find("leaf").device_scope.empty());
    CHECK(test.find("child").parent_scope.empty());
    CHECK(test.find("child").device_scope == child.device_scope);
}

TEST_CASE("an edge device's scope is itself, its modules, its children and their modules, in pages") {
    TestStores test;
    const auto edge = test.edge("edge");
    test.module("edge", "filter");
    test.edge("below", edge.device_scope);
    test.device("leaf1", {.device_scope = edge.device_scope});
    test.module("leaf1", "m");
    test.device("stranger");
    const auto all = test.registry.scope_of("edge", "", 100).value();
    CHECK(all.devices.size() == 3);
    CHECK(all.modules.size() == 4);  // $edgeAgent, $edgeHub, filter, leaf1/m
    CHECK(all.next.empty());

    std::vector<std::string> seen;
    std::string after;
    do {
        const auto page = test.registry.scope_of("edge", after, 1).value();
        REQUIRE(page.devices.size() == 1);
        seen.push_back(page.devices.front().identity.id());
        after = page.next;
    } while (!after.empty());
    CHECK(seen == std::vector<std::string>{"below", "edge", "leaf1"});
    CHECK(test.registry.scope_of("leaf1", "", 10).error().code == HubCode::argument_invalid);
}

TEST_CASE("an auth chain holds only when each link is above the one before") {
    TestStores test;
    const auto top = test.edge("top");
    const auto child = test.edge("child", top.device_scope);
    test.device("leaf", {.device_scope = child.device_scope});
    test.module("child", "m");
    CHECK(test.registry.check_chain({"leaf", "child", "top"}).value().identity.id() == "top");
    CHECK(test.registry.check_chain({"child/m", "child", "top"}));
    CHECK(test.registry.check_chain({"top"}));
    CHECK(test.registry.check_chain({"leaf", "top"}).error().code == HubCode::unauthorized_access);
    CHECK(test.registry.check_chain({"top", "child"}).error().code == HubCode::unauthorized_access);
    CHECK(test.registry.check_chain({"leaf"}).error().code == HubCode::unauthorized_access);
    CHECK(test.registry.check_chain({"nobody", "top"}).error().code == HubCode::device_not_found);
    CHECK(test.registry.check_chain({}).error().code == HubCode::unauthorized_access);
}

TEST_CASE("a device has a hundred modules at most") {
    TestStores test;
    test.device("d1");
    for (int i = 0; i < most_modules; ++i) test.module("d1", "m" + std::to_string(i));
    CHECK(test.registry.put(id("d1/one-more"), {}, {}).error().code == HubCode::too_many_modules);
    CHECK(test.registry.put(id("nobody/m"), {}, {}).error().code == HubCode::device_not_found);
}

TEST_CASE("thumbprints are checked and belong to their type") {
    TestStores test;
    const std::string sha1(40, 'A');
    const auto made = test.device("d1", {.type = AuthenticationType::self_signed, .primary_thumbprint = sha1});
    CHECK(made.authentication.primary_thumbprint == sha1);
    CHECK(made.authentication.keys.primary.empty());
    CHECK(test.registry.put(id("d2"), {.type = AuthenticationType::self_signed}, {}).error().code ==
          HubCode::argument_invalid);
    CHECK(test.registry.put(id("d2"), {.type = AuthenticationType::self_signed, .primary_thumbprint = "12"}, {})
              .error()
              .code == HubCode::argument_invalid);
}
