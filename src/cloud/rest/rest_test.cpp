#include "cloud/cloud_test.hpp"

#include "base/encoding.hpp"
#include "crypto/crypto.hpp"

#include <doctest/doctest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

using namespace skerry;
using namespace skerry::cloud;
namespace json = boost::json;

TEST_CASE("devices are created, read, listed, changed and deleted with a policy's token") {
    with_cloud([](TestCloud& test) -> Task<> {
        const auto token = co_await test.policy_token("iothubowner");
        auto reply = co_await test.call("PUT", "/devices/dev%201%2Fx?api-version=2021-04-12", "{}", token);
        CHECK(reply.status == 400);  // neither a space nor a slash is in IoT Hub's alphabet
        reply = co_await test.call(
            "PUT", "/devices/dev1?api-version=2021-04-12",
            R"({"deviceId":"dev1","authentication":{"symmetricKey":{"primaryKey":"","secondaryKey":""}}})", token);
        CHECK(reply.status == 200);
        CHECK(reply.body.at("status") == "enabled");
        CHECK(reply.body.at("authentication").at("type") == "sas");
        CHECK(reply.body.at("capabilities").at("iotEdge") == false);
        const std::string etag(reply.body.at("etag").as_string());

        CHECK((co_await test.call("PUT", "/devices/dev1", "{}", token)).error_code == "DeviceAlreadyExists");
        reply = co_await test.call("PUT", "/devices/dev1", R"({"status":"disabled"})", token, "\"abc\"");
        CHECK(reply.status == 412);
        CHECK(reply.error_code == "PreconditionFailed");
        reply = co_await test.call("PUT", "/devices/dev1", R"({"status":"disabled"})", token, "\"" + etag + "\"");
        CHECK(reply.body.at("status") == "disabled");
        CHECK(reply.body.at("etag") != etag.c_str());

        reply = co_await test.call("GET", "/devices/", {}, token);
        CHECK(reply.body.as_array().size() == 1);
        CHECK((co_await test.call("DELETE", "/devices/dev1", {}, token, "\"*\"")).status == 204);
        reply = co_await test.call("GET", "/devices/dev1", {}, token);
        CHECK(reply.status == 404);
        CHECK(reply.body.at("Message").as_string().starts_with("ErrorCode:DeviceNotFound;"));
    });
}

TEST_CASE("each call asks for its right, and says nothing before that") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        const auto service = co_await test.policy_token("service");
        const auto read = co_await test.policy_token("registryRead");
        CHECK((co_await test.call("GET", "/devices/d1", {}, service)).status == 401);
        CHECK((co_await test.call("GET", "/devices/nobody", {}, service)).status == 401);
        CHECK((co_await test.call("GET", "/devices/d1", {}, read)).status == 200);
        CHECK((co_await test.call("DELETE", "/devices/d1", {}, read)).status == 401);
        CHECK((co_await test.call("GET", "/twins/d1", {}, service)).status == 200);
        CHECK((co_await test.call("GET", "/twins/d1", {}, read)).status == 401);
        CHECK((co_await test.call("GET", "/twins/d1", {}, "nonsense")).error_code == "IotHubUnauthorized");
        CHECK((co_await test.call("GET", "/nowhere", {}, service)).status == 404);
        CHECK((co_await test.call("PATCH", "/devices/d1", "{}", co_await test.policy_token("iothubowner"))).status ==
              405);
    });
}

TEST_CASE("the identity service manages modules with the device's own token") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("edge", R"(,"capabilities":{"iotEdge":true})");
        co_await test.create("other");
        const auto token = co_await test.token("edge");
        const std::string version = "?api-version=2017-11-08-preview";
        auto reply = co_await test.call("GET", "/devices/edge/modules" + version, {}, token);
        CHECK(reply.status == 200);
        CHECK(reply.body.as_array().size() == 2);
        reply = co_await test.call(
            "PUT", "/devices/edge/modules/m1" + version,
            R"({"moduleId":"m1","deviceId":"edge","managedBy":"IotEdge","authentication":{"type":"none"}})", token);
        CHECK(reply.status == 200);
        CHECK(reply.body.at("managedBy") == "IotEdge");
        const auto key = base64_encode(std::string(32, 'k'));
        reply = co_await test.call(
            "PUT", "/devices/edge/modules/%24edgeHub" + version,
            R"({"moduleId":"$edgeHub","deviceId":"edge","authentication":{"type":"sas","symmetricKey":{"primaryKey":")" +
                key + R"(","secondaryKey":")" + key + R"("}}})",
            token, "*");
        CHECK(reply.status == 200);
        CHECK(reply.body.at("authentication").at("symmetricKey").at("primaryKey") == key.c_str());
        CHECK((co_await test.call("DELETE", "/devices/edge/modules/m1" + version, {}, token, "*")).status == 204);
        CHECK((co_await test.call("GET", "/devices/other/modules" + version, {}, token)).status == 401);
    });
}

TEST_CASE("a twin is shown whole, patched and replaced") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        auto reply = co_await test.call("PATCH", "/twins/d1", R"({"tags":{"a":1},"properties":{"desired":{"x":1}}})");
        CHECK(reply.body.at("tags") == json::parse(R"({"a":1})"));
        CHECK(reply.body.at("properties").at("desired").at("$version") == 2);
        CHECK(reply.body.at("properties").at("desired").at("$metadata").at("x").at("$lastUpdatedVersion") == 2);
        CHECK(reply.body.at("deviceId") == "d1");
        CHECK((co_await test.call("PATCH", "/twins/d1", "{}", {}, "\"abc\"")).status == 412);
        reply = co_await test.call("PUT", "/twins/d1", R"({"tags":{},"properties":{"desired":{"y":2}}})", {}, "*");
        CHECK_FALSE(reply.body.at("properties").at("desired").as_object().contains("x"));
        CHECK(reply.body.at("tags").as_object().empty());
        CHECK((co_await test.call("PATCH", "/twins/d1", R"({"tags":7})")).error_code == "ArgumentInvalid");
        CHECK((co_await test.call("GET", "/twins/d1/modules/m")).error_code == "ModuleNotFound");
    });
}

TEST_CASE("a deployment reaches the twins of its modules") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("edge", R"(,"capabilities":{"iotEdge":true})");
        auto reply = co_await test.call(
            "POST", "/devices/edge/applyConfigurationContent",
            R"({"modulesContent":{"$edgeAgent":{"properties.desired":{"a":1}},"m":{"properties.desired":{}}}})");
        CHECK(reply.status == 204);
        reply = co_await test.call("GET", "/twins/edge/modules/%24edgeAgent");
        CHECK(reply.body.at("properties").at("desired").at("a") == 1);
        CHECK((co_await test.call("GET", "/devices/edge/modules/m")).status == 200);
        reply = co_await test.call("POST", "/devices/edge/applyConfigurationContent", R"({"modules":{}})");
        CHECK(reply.error_code == "InvalidConfigurationContent");
    });
}

TEST_CASE("an edge hub reads its scope in both forms, and nobody else's") {
    with_cloud([](TestCloud& test) -> Task<> {
        const auto edge = co_await test.create("edge", R"(,"capabilities":{"iotEdge":true})");
        const std::string scope(edge.at("deviceScope").as_string());
        co_await test.create("leaf", R"(,"parentScopes":[")" + scope + "\"]");
        co_await test.create("stranger");
        const auto token = co_await test.token("edge/$edgeHub");
        const std::string base = "/devices/edge/modules/%24edgeHub/";
        auto reply =
            co_await test.call("POST", base + "devicesAndModulesInTargetDeviceScope?api-version=2020-06-30-preview",
                               R"({"pageSize":1,"authChain":"edge"})", token);
        CHECK(reply.status == 200);
        CHECK(reply.body.at("devices").at(0).at("deviceId") == "edge");
        CHECK(reply.body.at("modules").as_array().size() == 2);
        const std::string link(reply.body.at("continuationLink").as_string());
        reply = co_await test.call("POST", base + "devicesAndModulesInTargetDeviceScope",
                                   R"({"pageSize":1,"authChain":"edge","continuationLink":")" + link + "\"}", token);
        CHECK(reply.body.at("devices").at(0).at("deviceId") == "leaf");
        CHECK(reply.body.at("continuationLink").is_null());

        reply = co_await test.call("GET", base + "devicesAndModulesInDeviceScope?deviceCount=1&continuationToken=", {},
                                   token);
        const std::string next(reply.body.at("continuationLink").as_string());
        reply = co_await test.call("GET", next, {}, token);
        CHECK(reply.body.at("devices").at(0).at("deviceId") == "leaf");

        reply = co_await test.call("POST", base + "getDeviceAndModuleOnBehalfOf",
                                   R"({"targetDeviceId":"leaf","authChain":"leaf;edge"})", token);
        CHECK(
            reply.body.at("devices").at(0).at("authentication").at("symmetricKey").as_object().contains("primaryKey"));
        // The chain may also begin with the edge device that asks: for its own modules, and for its children.
        reply = co_await test.call("POST", base + "getDeviceAndModuleOnBehalfOf",
                                   R"({"targetDeviceId":"leaf","authChain":"edge"})", token);
        CHECK(reply.body.at("devices").at(0).at("deviceId") == "leaf");
        reply =
            co_await test.call("POST", base + "getDeviceAndModuleOnBehalfOf",
                               R"({"targetDeviceId":"edge","targetModuleId":"$edgeAgent","authChain":"edge"})", token);
        CHECK(reply.body.at("modules").at(0).at("moduleId") == "$edgeAgent");
        CHECK((co_await test.call("POST", base + "getDeviceAndModuleOnBehalfOf",
                                  R"({"targetDeviceId":"stranger","authChain":"edge"})", token))
                  .status == 401);
        reply = co_await test.call(
            "GET", base + "deviceAndModuleInDeviceScope?targetDeviceId=edge&targetModuleId=%24edgeAgent", {}, token);
        CHECK(reply.body.at("modules").at(0).at("moduleId") == "$edgeAgent");

        CHECK((co_await test.call("POST", base + "getDeviceAndModuleOnBehalfOf",
                                  R"({"targetDeviceId":"stranger","authChain":"stranger;edge"})", token))
                  .status == 401);
        CHECK((co_await test.call("POST", base + "devicesAndModulesInTargetDeviceScope", R"({"authChain":"edge"})",
                                  co_await test.token("edge")))
                  .status == 401);
    });
}

TEST_CASE("an edge hub manages modules of devices below it on their behalf, two layers down too, and of nobody else") {
    with_cloud([](TestCloud& test) -> Task<> {
        const auto edge = co_await test.create("edge", R"(,"capabilities":{"iotEdge":true})");
        const std::string scope(edge.at("deviceScope").as_string());
        const auto child =
            co_await test.create("child", R"(,"capabilities":{"iotEdge":true},"parentScopes":[")" + scope + "\"]");
        const std::string below(child.at("deviceScope").as_string());
        co_await test.create("leaf", R"(,"parentScopes":[")" + below + "\"]");
        co_await test.create("stranger");
        const auto token = co_await test.token("edge/$edgeHub");
        const std::string base = "/devices/edge/modules/%24edgeHub/";
        const auto call = [&](std::string operation, std::string body, std::optional<std::string> if_match = {}) {
            const auto* const method = operation.starts_with("put") ? "PUT" : "POST";
            return test.call(method, base + operation + "?api-version=2020-06-30-preview", std::move(body), token,
                             std::move(if_match));
        };

        auto reply = co_await call("putModuleOnBehalfOf",
                                   R"({"authChain":"leaf;child;edge","module":{"moduleId":"m","managedBy":"x"}})");
        CHECK(reply.status == 200);
        CHECK(reply.body.at("deviceId") == "leaf");
        CHECK(reply.body.at("managedBy") == "x");
        reply = co_await call("putModuleOnBehalfOf", R"({"authChain":"leaf;child;edge","module":{"moduleId":"m"}})");
        CHECK(reply.error_code == "ModuleAlreadyExistsOnDevice");
        reply = co_await call("putModuleOnBehalfOf",
                              R"({"authChain":"leaf;child;edge","module":{"moduleId":"m","managedBy":"y"}})", "*");
        CHECK(reply.body.at("managedBy") == "y");
        reply = co_await call("getModuleOnBehalfOf", R"({"authChain":"leaf;child;edge","targetModuleId":"m"})");
        CHECK(reply.body.at("managedBy") == "y");
        reply = co_await call("getModulesOnTargetDevice", R"({"authChain":"child;edge"})");
        CHECK(reply.body.as_array().size() == 2);
        CHECK((co_await call("deleteModuleOnBehalfOf", R"({"authChain":"leaf;child;edge","moduleId":"m"})", "*"))
                  .status == 204);
        CHECK(
            (co_await call("getModuleOnBehalfOf", R"({"authChain":"leaf;child;edge","targetModuleId":"m"})")).status ==
            404);
        // What is below two edge devices is in their scopes, too.
        reply = co_await call("devicesAndModulesInTargetDeviceScope", R"({"authChain":"child;edge"})");
        CHECK(reply.body.at("devices").as_array().size() == 2);

        for (const auto* chain :
             {"", "stranger;edge", "leaf;edge", "leaf;child", "edge;child", "nobody;edge", "a b;edge"})
            CHECK_MESSAGE(
                (co_await call("getModulesOnTargetDevice", R"({"authChain":")" + std::string(chain) + "\"}")).status /
                        100 ==
                    4,
                chain);
        for (const auto* body : {"", "[]", "{}", R"({"authChain":7})", R"({"authChain":"leaf;child;edge","module":7})",
                                 R"({"authChain":"leaf;child;edge","module":{}})",
                                 R"({"authChain":"child/$edgeHub;child;edge","module":{"moduleId":"m"}})"})
            CHECK_MESSAGE((co_await call("putModuleOnBehalfOf", body)).status / 100 == 4, body);
        reply = co_await test.call("POST", base + "getModulesOnTargetDevice", R"({"authChain":"child;edge"})",
                                   co_await test.token("child/$edgeHub"));
        CHECK(reply.status == 401);
        CHECK((co_await test.call("GET", base + "getModulesOnTargetDevice", {}, token)).status == 405);
        CHECK((co_await test.call("POST", "/devices/edge/modules/%24edgeAgent/getModulesOnTargetDevice",
                                  R"({"authChain":"child;edge"})", token))
                  .status == 404);
    });
}

TEST_CASE("telemetry over HTTPS is answered when it is stored, single and in batches") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        const auto token = co_await test.token("d1");
        CHECK(
            (co_await test.call("POST", "/devices/d1/messages/events?api-version=2021-04-12", "hello", token)).status ==
            204);
        const auto events = co_await test.events();
        REQUIRE(events.size() == 1);
        CHECK(events[0].at("body") == "hello");
        CHECK((co_await test.call("POST", "/devices/d1/messages/events", std::string(262145, 'x'), token)).status ==
              413);
    });
}

TEST_CASE("many devices are created, changed and deleted at once, each failure by its name") {
    with_cloud([](TestCloud& test) -> Task<> {
        auto reply = co_await test.call("POST", "/devices",
                                        R"([{"id":"a","importMode":"create"},{"id":"b","importMode":"create"}])");
        CHECK(reply.body.at("isSuccessful") == true);
        reply = co_await test.call(
            "POST", "/devices",
            R"([{"id":"a","importMode":"create"},{"id":"b","importMode":"Delete"},{"id":"a","importMode":"Update","status":"disabled"}])");
        CHECK(reply.body.at("isSuccessful") == false);
        CHECK(reply.body.at("errors").at(0).at("deviceId") == "a");
        CHECK(reply.body.at("errors").at(0).at("errorCode") == 409001);
        CHECK((co_await test.call("GET", "/devices/b")).status == 404);
        CHECK((co_await test.call("GET", "/devices/a")).body.at("status") == "disabled");
        reply = co_await test.call("GET", "/statistics/devices");
        CHECK(reply.body.at("disabledDeviceCount") == 1);
        reply = co_await test.call("POST", "/devices/query", R"({"query":"select  * from devices"})");
        CHECK(reply.body.at(0).at("deviceId") == "a");
        CHECK((co_await test.call("POST", "/devices/query", R"({"query":"SELECT * FROM jobs"})")).status == 400);
    });
}

TEST_CASE("what was answered is there after a restart, behind the same authority and keys") {
    with_cloud([](TestCloud& test) -> Task<> {
        co_await test.create("d1");
        const auto before = co_await test.call("GET", "/admin/info");
        const auto ca = storage::read_file(*test.files, test.folder / "ca.pem").value();
        co_await test.restart();
        CHECK((co_await test.call("GET", "/admin/info")).body == before.body);
        CHECK(storage::read_file(*test.files, test.folder / "ca.pem").value() == ca);
        CHECK((co_await test.call("GET", "/devices/d1")).status == 200);
        CHECK(before.body.at("hostName") == "hub.test");
        CHECK(before.body.as_object().contains("registryReadWrite"));
        CHECK(before.body.at("caCertificate") == (test.folder / "ca.pem").c_str());
    });
}

TEST_CASE("a second cloud on the same folder is refused with its reason") {
    with_cloud([](TestCloud& test) -> Task<> {
        Options options;
        options.data = test.folder;
        options.listen = "127.0.0.1";
        options.host_names = {"hub.test"};
        const auto second = co_await Cloud::start(std::move(options), test.platform());
        REQUIRE_FALSE(second);
        CHECK(second.error().text.find("another cloud runs") != std::string::npos);
        CHECK((co_await test.call("GET", "/admin/info")).status == 200);
        const auto nameless = co_await Cloud::start({}, test.platform());
        CHECK(nameless.error().text.find("--hostname") != std::string::npos);
    });
}
