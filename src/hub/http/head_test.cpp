// The HTTP head as modules see it: over TLS, with tokens, with an MQTT client as the target.
#include "base/task_scope.hpp"
#include "hub/test_hub.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;
namespace wire = codec::mqtt;

namespace {

codec::HttpRequest call_of(TestHub& hub, std::string target, std::string body) {
    codec::HttpRequest request;
    request.method = "POST";
    request.target = std::move(target);
    request.headers.set("Content-Type", "application/json");
    request.headers.set("Authorization", hub.token("edge1/sensor", key_of("edge1/sensor")));
    request.headers.set("x-ms-edge-moduleId", "edge1/sensor");
    request.body = std::move(body);
    return request;
}

Task<> ask_into(TestHub& hub, codec::HttpRequest request, std::optional<codec::HttpResponse>& answer) {
    answer = co_await hub.ask(std::move(request));
}

// Takes one call and answers it.
Task<wire::Publish> answer_one(TestClient& client, std::string_view status, std::string payload) {
    auto request = co_await client.expect<wire::Publish>();
    const auto rid = request.topic.substr(request.topic.find("$rid=") + 5);
    co_await client.publish(fmt::format("$iothub/methods/res/{}/?$rid={}", status, rid), std::move(payload), 0);
    co_return request;
}

}  // namespace

TEST_CASE("a module calls a method of another one, and gets its status and payload as they are") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto filter = co_await hub.connect("edge1/filter");
        co_await filter->subscribe({"$iothub/methods/POST/#"}, wire::QoS::at_most_once);
        std::optional<codec::HttpResponse> answer;
        {
            TaskScope calls(co_await boost::asio::this_coro::executor);
            auto call = call_of(hub, "/twins/edge1/modules/filter/methods?api-version=2020-09-30",
                                R"({"methodName":"set level","payload":{"n": 12345678901234567890.10}})");
            calls.spawn("call", ask_into(hub, std::move(call), answer));
            const auto request = co_await answer_one(*filter, "418", R"({"big":123456789012345678901234567890})");
            CHECK(request.topic.starts_with("$iothub/methods/POST/set level/?$rid="));
            CHECK(request.payload == R"({"n": 12345678901234567890.10})");
            co_await calls.idle();
        }
        REQUIRE(answer.has_value());
        CHECK(answer->status == 200);
        CHECK(answer->body == R"({"status":418,"payload":{"big":123456789012345678901234567890}})");
        CHECK(answer->headers.find("Content-Type") == "application/json; charset=utf-8");
        CHECK(answer->headers.find("X-Content-Type-Options") == "nosniff");
    });
}

TEST_CASE("a call waits for a device that comes within its connect timeout") {
    with_hub([](TestHub& hub) -> Task<> {
        std::optional<codec::HttpResponse> answer;
        TaskScope calls(co_await boost::asio::this_coro::executor);
        auto call = call_of(hub, "/twins/leaf1/methods", R"({"methodName":"m","connectTimeoutInSeconds":60})");
        calls.spawn("call", ask_into(hub, std::move(call), answer));
        const auto leaf = co_await hub.connect("leaf1");
        co_await hub.clock.sleep(5ms);
        CHECK_FALSE(answer.has_value());
        co_await leaf->subscribe({"$iothub/methods/POST/#"}, wire::QoS::at_most_once);
        const auto request = co_await answer_one(*leaf, "200", "");
        CHECK(request.payload == "null");
        co_await calls.idle();
        CHECK(answer->status == 200);
        CHECK(answer->body == R"({"status":200,"payload":null})");
    });
}

TEST_CASE("a target that is away, unknown or goes is told from one that stays silent") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto body = R"({"methodName":"m","responseTimeoutInSeconds":5})";
        const auto away = co_await hub.ask(call_of(hub, "/twins/edge1/modules/filter/methods", body));
        CHECK(away.status == 404);
        CHECK(away.body == R"({"message":"Client edge1/filter not found"})");
        const auto unknown = co_await hub.ask(call_of(hub, "/twins/no%20id/methods", body));
        CHECK(unknown.status == 404);
        CHECK(unknown.body == R"({"message":"Client no id not found"})");

        const auto filter = co_await hub.connect("edge1/filter");
        const auto not_listening = co_await hub.ask(call_of(hub, "/twins/edge1/modules/filter/methods", body));
        CHECK(not_listening.status == 404);

        co_await filter->subscribe({"$iothub/methods/POST/#"}, wire::QoS::at_most_once);
        const auto silent = co_await hub.ask(call_of(hub, "/twins/edge1/modules/filter/methods", body));
        CHECK(silent.status == 504);
        CHECK_MESSAGE(
            silent.body.starts_with(R"({"message":"Timed out waiting for device to respond to method request )"),
            silent.body);

        (void)co_await filter->expect<wire::Publish>();
        std::optional<codec::HttpResponse> gone;
        TaskScope calls(co_await boost::asio::this_coro::executor);
        calls.spawn("call", ask_into(hub, call_of(hub, "/twins/edge1/modules/filter/methods", body), gone));
        (void)co_await filter->expect<wire::Publish>();
        filter->drop();
        co_await calls.idle();
        CHECK(gone->status == 504);
        CHECK(gone->body == R"({"message":"edge1/filter went away before it answered"})");
    });
}

TEST_CASE("who may not call is told so, and a wrong call what is wrong with it") {
    with_hub([](TestHub& hub) -> Task<> {
        const std::string path = "/twins/edge1/modules/filter/methods";
        const std::string body = R"({"methodName":"m"})";

        const auto malformed = co_await hub.ask(call_of(hub, path, R"({"methodName":7})"));
        CHECK(malformed.status == 400);
        CHECK(malformed.body == R"("The body must have a methodName")");

        auto request = call_of(hub, path, body);
        request.headers.set("x-ms-edge-moduleId", "edge1");
        const auto headless = co_await hub.ask(request);
        CHECK(headless.status == 400);
        CHECK(headless.body == R"({"message":"Invalid header value for x-ms-edge-moduleId"})");

        request.headers.set("x-ms-edge-moduleId", "elsewhere/sensor");
        const auto foreign = co_await hub.ask(request);
        CHECK(foreign.status == 401);
        CHECK(foreign.body == R"({"message":"Only modules on the same device can invoke DirectMethods"})");

        // Another module's token, a wrong key, none at all, one in the query only.
        request.headers.set("x-ms-edge-moduleId", "edge1/filter");
        CHECK((co_await hub.ask(request)).status == 401);
        request = call_of(hub, path, body);
        request.headers.set("Authorization", hub.token("edge1/sensor", key_of("edge1/filter")));
        CHECK((co_await hub.ask(request)).status == 401);
        request.headers.set("Authorization", "Bearer x");
        CHECK((co_await hub.ask(request)).status == 401);
        codec::HttpRequest bare;
        bare.method = "POST";
        bare.target = path + "?Authorization=" + hub.token("edge1/sensor", key_of("edge1/sensor"));
        bare.headers.set("x-ms-edge-moduleId", "edge1/sensor");
        bare.body = body;
        const auto no_token = co_await hub.ask(bare);
        CHECK(no_token.status == 401);
        CHECK(no_token.body == R"({"message":"edge1/sensor has neither a token nor a certificate"})");

        CHECK((co_await hub.ask(call_of(hub, "/twins/edge1/modules/filter", body))).status == 404);
        CHECK((co_await hub.ask(call_of(hub, "/", body))).status == 404);
        request = call_of(hub, path, "");
        request.method = "GET";
        CHECK((co_await hub.ask(request)).status == 405);
        CHECK((co_await hub.ask(call_of(hub, path, std::string(300 * 1024, ' ')))).status == 413);
    });
}
