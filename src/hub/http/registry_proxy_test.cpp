// Module identities of those below, over real TLS: by their hubs, by devices themselves, with tokens and certificates.
#include "base/encoding.hpp"
#include "hub/http/test_layers.hpp"
#include "model/twin.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <boost/json/array.hpp>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;

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
