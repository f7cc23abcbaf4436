// What hubs and devices below ask over HTTPS, with real TLS: edge1 (this one) <- child <- grand, each with a leaf.
#include "base/encoding.hpp"
#include "hub/test_hub.hpp"
#include "model/twin.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <boost/json/array.hpp>

#include <algorithm>
#include <functional>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

constexpr std::string_view page_call = "devicesAndModulesInTargetDeviceScope";
constexpr std::string_view one_call = "getDeviceAndModuleOnBehalfOf";

void add(PaperCloud& cloud, std::string_view id, std::string parent, bool is_edge) {
    auto known = scope_identity(id);
    known.iot_edge = is_edge;
    known.device_scope = is_edge ? fmt::format("scope of {}", id) : parent;
    if (!parent.empty()) known.parent_scopes = {std::move(parent)};
    cloud.identities.push_back(std::move(known));
}

iothub::ScopeIdentity& known(TestHub& hub, std::string_view id) {
    return *std::ranges::find_if(hub.cloud.identities, [&](const auto& each) { return each.identity.id() == id; });
}

void add_layers(TestHub& hub) {
    auto& cloud = hub.cloud;
    known(hub, edge).device_scope = "scope of edge1";
    add(cloud, "child", "scope of edge1", true);
    add(cloud, "beside", "scope of edge1", false);
    add(cloud, "deep", "scope of child", false);
    add(cloud, "deep2", "scope of child", false);
    add(cloud, "grand", "scope of child", true);
    add(cloud, "far", "scope of grand", false);
    for (const auto* id : {"child/$edgeHub", "child/m", "deep/x", "grand/$edgeHub", "edge1/IoTEdgeAPIProxy"})
        cloud.identities.push_back(scope_identity(id));
}

codec::HttpRequest request_of(std::string method, std::string target, std::string token = {}, std::string body = {}) {
    codec::HttpRequest request;
    request.method = std::move(method);
    request.target = std::move(target);
    if (!token.empty()) request.headers.set("Authorization", std::move(token));
    request.body = std::move(body);
    return request;
}

codec::HttpRequest from_hub(TestHub& hub, std::string_view actor, std::string_view operation, std::string body,
                            std::string method = "POST") {
    const auto acting = fmt::format("{}/$edgeHub", actor);
    return request_of(std::move(method),
                      fmt::format("/devices/{}/modules/%24edgeHub/{}?api-version=2020-06-30-preview", actor, operation),
                      hub.token(acting, key_of(acting)), std::move(body));
}

codec::HttpRequest from_device(TestHub& hub, std::string_view device, std::string_view module = {},
                               std::string method = "GET", std::string body = {}) {
    return request_of(std::move(method),
                      fmt::format("/devices/{}/modules{}{}?api-version=2017-11-08-preview", device,
                                  module.empty() ? "" : "/", module),
                      hub.token(device, key_of(device)), std::move(body));
}

json::object object_of(const codec::HttpResponse& response) {
    auto object = model::parse_object(response.body);
    REQUIRE_MESSAGE(object.has_value(), response.body);
    return std::move(*object);
}

std::vector<std::string> ids_of(const json::object& page) {
    std::vector<std::string> ids;
    for (const auto& device : page.at("devices").as_array()) ids.emplace_back(device.at("deviceId").as_string());
    for (const auto& module : page.at("modules").as_array())
        ids.push_back(
            fmt::format("{}/{}", module.at("deviceId").as_string().c_str(), module.at("moduleId").as_string().c_str()));
    return ids;
}

using Ids = std::vector<std::string>;

// With the layers above known.
void with_layers(const std::function<Task<>(TestHub& hub)>& body) {
    const auto run = [&body](TestHub& hub) -> Task<> {
        add_layers(hub);
        hub.go_online();
        for (;;) {
            const auto page = co_await hub.ask(from_hub(hub, "child", page_call, R"({"authChain":"grand;child"})"));
            if (page.status == 200 && ids_of(object_of(page)).size() == 3) break;
            co_await hub.clock.sleep(1ms);
        }
        co_await body(hub);
    };
    with_hub(run);
}

}  // namespace

TEST_CASE("a hub below reads the scope of its device and of those below it, page by page") {
    with_layers([](TestHub& hub) -> Task<> {
        const auto questions = hub.cloud.questions;
        const auto first =
            object_of(co_await hub.ask(from_hub(hub, "child", page_call, R"({"pageSize":2,"authChain":"child"})")));
        CHECK(ids_of(first) == Ids{"child", "deep", "child/$edgeHub", "child/m", "deep/x"});
        const auto& child = first.at("devices").at(0);
        CHECK(child.at("deviceScope") == "scope of child");
        CHECK(child.at("parentScopes").at(0) == "scope of edge1");
        CHECK(child.at("capabilities").at("iotEdge") == true);
        CHECK(child.at("authentication").at("symmetricKey").at("primaryKey") == key_of("child").c_str());

        const std::string next(first.at("continuationLink").as_string());
        const auto second = object_of(co_await hub.ask(
            from_hub(hub, "child", page_call,
                     fmt::format(R"({{"pageSize":10,"authChain":"child","continuationLink":"{}"}})", next))));
        CHECK(ids_of(second) == Ids{"deep2", "grand"});
        CHECK(second.at("continuationLink").is_null());

        const auto grand =
            object_of(co_await hub.ask(from_hub(hub, "child", page_call, R"({"authChain":"grand;child"})")));
        CHECK(ids_of(grand) == Ids{"far", "grand", "grand/$edgeHub"});
        CHECK(hub.cloud.questions == questions);  // all of it was known
    });
}

TEST_CASE("an edge device that is new here gets the whole of its scope, or is told to come again") {
    with_hub([](TestHub& hub) -> Task<> {
        known(hub, edge).device_scope = "scope of edge1";
        hub.go_online();
        co_await hub.eventually([&hub, before = hub.cloud.refreshes] { return hub.cloud.refreshes > before; });
        add_layers(hub);
        hub.cloud.whole = false;  // of single identities the cloud tells, of all not
        const auto page = [&hub] { return hub.ask(from_hub(hub, "child", page_call, R"({"authChain":"child"})")); };
        const auto early = co_await page();
        CHECK(early.status == 500);
        CHECK(object_of(early).contains("ErrorMessage"));
        hub.cloud.whole = true;
        const auto answer = object_of(co_await page());
        CHECK(ids_of(answer) == Ids{"child", "deep", "deep2", "grand", "child/$edgeHub", "child/m", "deep/x"});
    });
}

TEST_CASE("one identity below is told with its device; the cloud is asked about it once, and not needed") {
    with_layers([](TestHub& hub) -> Task<> {
        const auto ask = [&hub](std::string body) {
            return hub.ask(from_hub(hub, "child", one_call, std::move(body)));
        };
        const std::string module = R"({"targetDeviceId":"deep","targetModuleId":"x","authChain":"child"})";
        hub.cloud.identities.push_back(scope_identity("deep/late"));
        known(hub, "deep/x").keys.primary = "bmV3";
        const auto questions = hub.cloud.questions;
        auto answer = object_of(co_await ask(module));
        CHECK(ids_of(answer) == Ids{"deep", "deep/x"});
        CHECK(answer.at("modules").at(0).at("authentication").at("symmetricKey").at("primaryKey") == "bmV3");
        (void)co_await ask(module);
        CHECK(hub.cloud.questions == questions + 1);
        // One that nobody here knew; a device below two edge devices, by either form of the chain.
        answer =
            object_of(co_await ask(R"({"targetDeviceId":"deep","targetModuleId":"late","authChain":"deep;child"})"));
        CHECK(ids_of(answer) == Ids{"deep", "deep/late"});
        for (const auto* chain : {"grand;child", "far;grand;child"}) {
            answer = object_of(co_await ask(
                fmt::format(R"({{"targetDeviceId":"far","targetModuleId":null,"authChain":"{}"}})", chain)));
            CHECK(ids_of(answer) == Ids{"far"});
        }

        hub.go_offline();
        CHECK(ids_of(object_of(co_await ask(module))) == Ids{"deep", "deep/x"});
        const auto nobody = co_await ask(R"({"targetDeviceId":"nobody","authChain":"child"})");
        CHECK(nobody.status == 500);  // it may be there: nobody can tell now
        CHECK(object_of(nobody).contains("ErrorMessage"));
    });
}

TEST_CASE("who asks for what is not below it, or not as itself, learns nothing") {
    with_layers([](TestHub& hub) -> Task<> {
        struct Case {
            const char* actor;
            std::string_view operation;
            const char* body;
            unsigned status;
        };
        const Case cases[] = {
            {"child", page_call, R"({"authChain":"edge1"})", 401},
            {"child", page_call, R"({"authChain":"edge1;child"})", 401},
            {"child", page_call, R"({"authChain":"child;edge1"})", 401},
            {"child", page_call, R"({"authChain":"grand"})", 401},
            {"child", page_call, R"({"authChain":"far;child"})", 401},
            {"child", page_call, R"({"authChain":"far;grand;child"})", 401},  // no edge device
            {"child", page_call, R"({"authChain":"beside;child"})", 401},
            {"child", page_call, R"({"authChain":"nobody;child"})", 401},
            {"beside", page_call, R"({"authChain":"beside"})", 401},
            {"edge1", page_call, R"({"authChain":"edge1"})", 401},
            {"nobody", page_call, R"({"authChain":"nobody"})", 401},
            {"child", one_call, R"({"targetDeviceId":"beside","authChain":"child"})", 401},
            {"child", one_call, R"({"targetDeviceId":"edge1","targetModuleId":"sensor","authChain":"child"})", 401},
            {"child", one_call, R"({"targetDeviceId":"beside","authChain":"beside;child"})", 401},
            {"child", one_call, R"({"targetDeviceId":"deep","authChain":"grand;child"})", 401},
            {"child", one_call, R"({"targetDeviceId":"deep","targetModuleId":"no","authChain":"child"})", 401},
        };
        for (const auto& [actor, operation, body, status] : cases) {
            INFO(actor << " " << operation << " " << body);
            const auto answer = co_await hub.ask(from_hub(hub, actor, operation, body));
            CHECK(answer.status == status);
            CHECK(object_of(answer).contains("ErrorMessage"));
            CHECK_FALSE(answer.body.contains("symmetricKey"));
        }
        // Another module of the device, another's token, none.
        const auto page = R"({"authChain":"child"})";
        auto request = from_hub(hub, "child", page_call, page);
        request.target = "/devices/child/modules/m/devicesAndModulesInTargetDeviceScope";
        CHECK((co_await hub.ask(request)).status == 401);
        request = from_hub(hub, "child", page_call, page);
        request.headers.set("Authorization", hub.token("grand/$edgeHub", key_of("grand/$edgeHub")));
        CHECK((co_await hub.ask(request)).status == 401);
        request.headers.set("Authorization", hub.token("child/$edgeHub", key_of("child/$edgeHub"), -1h));
        CHECK((co_await hub.ask(request)).status == 401);
        request.headers.set("Authorization", "");
        CHECK((co_await hub.ask(request)).status == 401);
        // An edge device that is disabled takes everything below with it.
        known(hub, "child").enabled = false;
        (void)co_await hub.ask(from_hub(hub, "child", one_call, R"({"targetDeviceId":"child","authChain":"child"})"));
        CHECK((co_await hub.ask(from_hub(hub, "child", page_call, page))).status == 401);
    });
}

TEST_CASE("the cloud is asked about whom we know by the way that we know, whatever somebody below says") {
    with_layers([](TestHub& hub) -> Task<> {
        const auto ask = [&hub](std::string_view device, std::string_view chain) {
            return hub.ask(from_hub(hub, "child", one_call,
                                    fmt::format(R"({{"targetDeviceId":"{}","authChain":"{}"}})", device, chain)));
        };
        // A hub that says that it is above others' devices must not have the cloud deny them.
        CHECK((co_await ask("beside", "child")).status == 401);
        CHECK(hub.cloud.asked_by.at("beside") == Ids{"edge1"});
        CHECK((co_await ask("deep", "child")).status == 200);
        CHECK(hub.cloud.asked_by.at("deep") == Ids{"child", "edge1"});
        CHECK((co_await ask("grand", "child")).status == 200);
        CHECK(hub.cloud.asked_by.at("grand") == Ids{"grand", "child", "edge1"});
        CHECK((co_await ask("stranger", "grand;child")).status == 401);
        CHECK(hub.cloud.asked_by.at("stranger") == Ids{"grand", "child", "edge1"});
        // The same at the MQTT head.
        const auto client = co_await hub.dial();
        auto connect = connect_packet("leaf1", hub.token("child/$edgeHub", key_of("child/$edgeHub")));
        *connect.user_name += "&auth-chain=leaf1%3Bchild";
        CHECK((co_await client->handshake(std::move(connect))).code == codec::mqtt::ConnectCode::not_authorized);
        CHECK(hub.cloud.asked_by.at("leaf1") == Ids{"edge1"});
    });
}

TEST_CASE("a call that can't be read is told what is wrong with it") {
    with_layers([](TestHub& hub) -> Task<> {
        struct Case {
            std::string_view operation;
            const char* body;
            const char* says;
        };
        const auto long_chain = [] {
            std::string chain = "child";
            for (int i = 0; i < 20; ++i) chain += ";child";
            return R"({"authChain":")" + chain + "\"}";
        }();
        const Case cases[] = {
            {page_call, "", "JSON"},
            {page_call, "[]", "JSON object"},
            {page_call, "{", "JSON"},
            {page_call, "{}", "authChain"},
            {page_call, R"({"authChain":""})", "authChain"},
            {page_call, R"({"authChain":";;"})", "authChain"},
            {page_call, R"({"authChain":7})", "authChain must be text"},
            {page_call, R"({"authChain":"a b;child"})", "invalid id"},
            {page_call, R"({"authChain":"child/m;child"})", "begin with a device"},
            {page_call, long_chain.c_str(), "over 16"},
            {page_call, R"({"authChain":"child","pageSize":0})", "pageSize"},
            {page_call, R"({"authChain":"child","pageSize":-1})", "pageSize"},
            {page_call, R"({"authChain":"child","pageSize":"10"})", "pageSize"},
            {page_call, R"({"authChain":"child","continuationLink":7})", "continuationLink"},
            {page_call, R"({"authChain":"child","continuationLink":"/devices?x=1"})", "none of this hub's"},
            {one_call, R"({"authChain":"child"})", "targetDeviceId"},
            {one_call, R"({"authChain":"child","targetDeviceId":{}})", "targetDeviceId"},
            {one_call, R"({"authChain":"child","targetDeviceId":"a/b"})", "targetDeviceId"},
            {one_call, R"({"authChain":"child","targetDeviceId":"deep","targetModuleId":"a b"})", "targetModuleId"},
            {one_call, R"({"targetDeviceId":"deep"})", "authChain"},
            {"getModuleOnBehalfOf", R"({"authChain":"child"})", "targetModuleId"},
            {"getModuleOnBehalfOf", R"({"authChain":"child","targetModuleId":"a/b"})", "targetModuleId"},
            {"getModuleOnBehalfOf", R"({"targetModuleId":"m"})", "authChain"},
            {"deleteModuleOnBehalfOf", R"({"authChain":"child","moduleId":7})", "moduleId"},
            {"getModulesOnTargetDevice", R"({"authChain":"child/m;child"})", "begin with a device"},
            {"putModuleOnBehalfOf", R"({"authChain":"child"})", "module"},
            {"putModuleOnBehalfOf", R"({"authChain":"child","module":"m"})", "module"},
        };
        for (const auto& [operation, body, says] : cases) {
            INFO(operation << " " << body);
            const bool on_scope = operation == page_call || operation == one_call;
            const auto* const method = operation == "putModuleOnBehalfOf" ? "PUT" : "POST";
            const auto answer = co_await hub.ask(from_hub(hub, "child", operation, body, method));
            CHECK(answer.status == 400);
            const auto told = object_of(answer);
            const auto* const member = on_scope ? "ErrorMessage" : "errorMessage";
            REQUIRE(told.contains(member));
            CHECK_MESSAGE(std::string_view(told.at(member).as_string()).contains(says), answer.body);
        }
        CHECK(hub.cloud.relayed.empty());

        for (const auto& [method, operation] : {std::pair("GET", page_call), std::pair("PUT", one_call),
                                                std::pair("POST", std::string_view("putModuleOnBehalfOf")),
                                                std::pair("PUT", std::string_view("getModuleOnBehalfOf"))})
            CHECK((co_await hub.ask(from_hub(hub, "child", operation, "{}", method))).status == 405);
        CHECK((co_await hub.ask(from_hub(hub, "child", "somethingElse", "{}"))).status == 404);
        CHECK((co_await hub.ask(from_hub(hub, "child", page_call, std::string(300 * 1024, ' ')))).status == 413);
    });
}

TEST_CASE(
    "registry calls of a hub below go to the cloud on behalf of all in between, and the answer comes back as it is") {
    with_layers([](TestHub& hub) -> Task<> {
        struct Case {
            const char* operation;
            const char* method;
            const char* body;
            const char* sent;
        };
        const Case cases[] = {
            {"putModuleOnBehalfOf", "PUT", R"({"authChain":"grand;child","module":{"moduleId":"n","managedBy":"x"}})",
             R"({"authChain":"grand;child;edge1","module":{"moduleId":"n","managedBy":"x"}})"},
            {"getModuleOnBehalfOf", "POST", R"({"authChain":"child","targetModuleId":"m"})",
             R"({"authChain":"child;edge1","targetModuleId":"m"})"},
            {"getModulesOnTargetDevice", "POST", R"({"authChain":"far;grand;child"})",
             R"({"authChain":"far;grand;child;edge1"})"},
            {"deleteModuleOnBehalfOf", "POST", R"({"authChain":"deep;child","moduleId":"x"})",
             R"({"authChain":"deep;child;edge1","moduleId":"x"})"},
        };
        for (const auto& [operation, method, body, sent] : cases) {
            INFO(operation);
            hub.cloud.relay_answer = {409, R"({"Message":"ErrorCode:ModuleAlreadyExistsOnDevice;told"})", "Told"};
            auto request = from_hub(hub, "child", operation, body, method);
            request.headers.set("If-Match", "\"etag\"");
            const auto answer = co_await hub.ask(std::move(request));
            CHECK(answer.status == 409);
            CHECK(answer.body == hub.cloud.relay_answer.body);
            CHECK(answer.headers.find("iothub-errorcode") == "Told");
            const auto& relayed = hub.cloud.relayed.back();
            CHECK(relayed.method == method);
            CHECK(relayed.operation == operation);
            CHECK(relayed.if_match == "\"etag\"");
            CHECK(model::parse_object(relayed.body).value() == model::parse_object(sent).value());
        }
        const auto before = hub.cloud.relayed.size();
        for (const auto* chain :
             {"beside;child", "child;edge1", "edge1;child", "grand", "nobody;child", "grand;grand"}) {
            INFO(chain);
            const auto answer = co_await hub.ask(
                from_hub(hub, "child", "getModulesOnTargetDevice", fmt::format(R"({{"authChain":"{}"}})", chain)));
            CHECK(answer.status == 401);
            CHECK(answer.body.empty());
        }
        CHECK(hub.cloud.relayed.size() == before);
    });
}

TEST_CASE("a device manages its own module identities, and nobody else's") {
    with_layers([](TestHub& hub) -> Task<> {
        hub.cloud.relay_answer = {200, R"([{"moduleId":"m"}])", ""};
        const auto listed = co_await hub.ask(from_device(hub, "child"));
        CHECK(listed.status == 200);
        CHECK(listed.body == R"([{"moduleId":"m"}])");
        CHECK(hub.cloud.relayed.back().operation == "getModulesOnTargetDevice");
        CHECK(hub.cloud.relayed.back().body == R"({"authChain":"child;edge1"})");

        auto put = from_device(hub, "deep", "new", "PUT", R"({"moduleId":"new","managedBy":"me"})");
        put.headers.set("If-Match", "*");
        CHECK((co_await hub.ask(std::move(put))).status == 200);
        CHECK(hub.cloud.relayed.back().method == "PUT");
        CHECK(hub.cloud.relayed.back().if_match == "*");
        CHECK(model::parse_object(hub.cloud.relayed.back().body).value() ==
              model::parse_object(R"({"module":{"moduleId":"new","managedBy":"me","deviceId":"deep"},
                                      "authChain":"deep;child;edge1"})")
                  .value());
        CHECK((co_await hub.ask(from_device(hub, "deep", "%24x"))).status == 200);
        CHECK(hub.cloud.relayed.back().body == R"({"targetModuleId":"$x","authChain":"deep;child;edge1"})");
        hub.cloud.relay_answer = {204, "", ""};
        const auto gone = co_await hub.ask(from_device(hub, "deep", "x", "DELETE"));
        CHECK(gone.status == 204);
        CHECK(hub.cloud.relayed.back().operation == "deleteModuleOnBehalfOf");

        const auto relayed = hub.cloud.relayed.size();
        struct Case {
            const char* device;
            const char* module;
            const char* method;
            const char* body;
            unsigned status;
        };
        const Case wrong[] = {
            {"deep", "m", "PUT", "", 400},
            {"deep", "m", "PUT", "[]", 400},
            {"deep", "m", "PUT", R"({"moduleId":"other"})", 400},
            {"deep", "m", "PUT", R"({"deviceId":"other"})", 400},
            {"deep", "m", "PUT", R"({"moduleId":7})", 400},
            {"deep", "a%20b", "GET", "", 400},
            {"deep", "", "POST", "{}", 405},
            {"deep", "m", "PATCH", "{}", 405},
            {"nobody", "", "GET", "", 401},
        };
        for (const auto& [device, module, method, body, status] : wrong) {
            INFO(method << " " << device << "/" << module << " " << body);
            CHECK((co_await hub.ask(from_device(hub, device, module, method, body))).status == status);
        }
        auto other = from_device(hub, "child");
        other.headers.set("Authorization", hub.token("deep", key_of("deep")));
        const auto refused = co_await hub.ask(other);
        CHECK(refused.status == 401);
        CHECK(refused.body.empty());
        other = from_device(hub, "child");
        other.target = "/devices/child/modules";
        const auto versionless = co_await hub.ask(other);
        CHECK(versionless.status == 400);
        CHECK(versionless.headers.find("iothub-errorcode") == "InvalidProtocolVersion");
        CHECK(hub.cloud.relayed.size() == relayed);

        hub.go_offline();
        const auto away = co_await hub.ask(from_device(hub, "child"));
        CHECK(away.status == 500);  // what an identity service takes for "no network"
        CHECK(object_of(away).contains("errorMessage"));
        CHECK((co_await hub.ask(from_device(hub, "nobody"))).status == 500);
    });
}

TEST_CASE("a certificate counts over HTTPS: seen in TLS, or by the API proxy, and by nobody else") {
    with_layers([](TestHub& hub) -> Task<> {
        const auto make = [&hub](std::string name) {
            return make_certificate({.common_name = std::move(name),
                                     .client_auth = true,
                                     .not_before = hub.clock.wall() - 1h,
                                     .not_after = hub.clock.wall() + 1h});
        };
        const auto certificate = make("any name");
        auto certified = scope_identity("certified");
        certified.authentication_type = "selfSigned";
        certified.keys = {};
        certified.primary_thumbprint = crypto::parse_certificate(certificate.chain).value().sha256_thumbprint;
        certified.parent_scopes = {"scope of edge1"};
        hub.cloud.identities.push_back(certified);
        const auto bare = request_of("GET", "/devices/certified/modules?api-version=2021-04-12");
        CHECK((co_await hub.ask(bare, &certificate)).status == 200);
        CHECK(hub.cloud.relayed.back().body == R"({"authChain":"certified;edge1"})");
        const auto another = make("any name");
        CHECK((co_await hub.ask(bare, &another)).status == 401);
        CHECK((co_await hub.ask(bare)).status == 401);
        CHECK((co_await hub.ask(request_of("GET", "/devices/child/modules?api-version=1"), &certificate)).status ==
              401);

        const auto forwarded = [&](std::string header, std::string token) {
            auto request = bare;
            request.headers.set("x-ms-edge-clientcert", std::move(header));
            if (!token.empty()) request.headers.set("Authorization", std::move(token));
            return request;
        };
        const auto proxy = hub.token("edge1/IoTEdgeAPIProxy", key_of("edge1/IoTEdgeAPIProxy"));
        const auto header = percent_encode(certificate.chain);
        CHECK((co_await hub.ask(forwarded(header, proxy))).status == 200);
        CHECK((co_await hub.ask(forwarded(percent_encode(another.chain), proxy))).status == 401);
        CHECK((co_await hub.ask(forwarded("%zz", proxy))).status == 401);
        CHECK((co_await hub.ask(forwarded("nonsense", proxy))).status == 401);
        CHECK((co_await hub.ask(forwarded(header, ""))).status == 401);
        const auto sensor = hub.token("edge1/sensor", key_of("edge1/sensor"));
        CHECK((co_await hub.ask(forwarded(header, sensor))).status == 401);
        CHECK((co_await hub.ask(forwarded(header, sensor), &certificate)).status == 401);
        // The proxy speaks for who has a certificate, not for itself: without one its token is its own.
        CHECK((co_await hub.ask(forwarded("", proxy))).status == 401);

        co_await hub.stop();
        hub.settings.api_proxy = "sensor";
        co_await hub.start();
        CHECK((co_await hub.ask(forwarded(header, sensor))).status == 200);
        CHECK((co_await hub.ask(forwarded(header, proxy))).status == 401);
    });
}

TEST_CASE("with NestedEdgeEnabled=false nothing is served to hubs below, and nobody acts for others") {
    with_layers([](TestHub& hub) -> Task<> {
        co_await hub.stop();
        hub.settings.nested = false;
        co_await hub.start();
        CHECK((co_await hub.ask(from_hub(hub, "child", page_call, R"({"authChain":"child"})"))).status == 404);
        CHECK(
            (co_await hub.ask(from_hub(hub, "child", "getModulesOnTargetDevice", R"({"authChain":"child"})"))).status ==
            404);
        CHECK((co_await hub.ask(from_device(hub, "beside"))).status == 200);
        const auto client = co_await hub.dial();
        auto connect = connect_packet("deep", hub.token("child/$edgeHub", key_of("child/$edgeHub")));
        *connect.user_name += "&auth-chain=deep%3Bchild";
        CHECK((co_await client->handshake(std::move(connect))).code == codec::mqtt::ConnectCode::not_authorized);
    });
}
