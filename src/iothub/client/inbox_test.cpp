// What the hub pushes: inputs, desired patches, methods; and the twin requests that it answers.
#include "iothub/client/test_hub.hpp"
#include "model/twin.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <boost/json/value.hpp>

#include <stdexcept>

using namespace skerry;
using namespace skerry::iothub;
using namespace std::chrono_literals;

namespace {
using Log = std::vector<std::string>;

// Handlers that take `duration` and write down what they do.
Task<Result<>> slow_input(Clock& clock, Duration duration, Log& log, std::string input, model::Message message) {
    log.push_back("begin " + input + " " + message.body);
    co_await clock.sleep(duration);
    log.push_back("end " + input + " " + message.body);
    co_return Result<>{};
}
Task<MethodResponse> slow_method(Clock& clock, Duration duration, MethodRequest request) {
    co_await clock.sleep(duration);
    co_return MethodResponse{207, request.method + request.payload};
}
Task<Result<boost::json::object>> get_twin(DeviceClient& client) { co_return co_await client.get_twin(); }
Task<Result<>> report(DeviceClient& client, boost::json::object patch) {
    co_return co_await client.report(std::move(patch));
}
Task<> get_twin_into(DeviceClient& client, std::vector<Result<boost::json::object>>& results) {
    results.push_back(co_await client.get_twin());
}

std::string input_of(std::string_view input, std::string_view bag = "%24.cdid=d1&%24.cmid=sensor&a=1") {
    return fmt::format("devices/d1/modules/m1/inputs/{}/{}", input, bag);
}
}  // namespace

TEST_CASE("a message is acknowledged when its handler has returned, one after another within an input") {
    Log log;
    DeviceClientHandlers handlers;
    sim::SimClock* clock = nullptr;
    handlers.on_input = [&](std::string input, model::Message message) {
        CHECK(message.system_property("inputName") == input);
        CHECK(message.system_property("connectionModuleId") == "sensor");
        CHECK(model::find(message.properties, "a")->value == "1");
        return slow_input(*clock, 10s, log, std::move(input), std::move(message));
    };
    TestClient test(std::move(handlers));
    clock = &test.world.clock();
    test.connect();
    const auto first = test.hub.push(input_of("x"), "1");
    const auto second = test.hub.push(input_of("x"), "2");
    const auto other = test.hub.push(input_of("y"), "3");
    test.world.run_for(9s);
    CHECK(test.hub.acknowledged.empty());
    CHECK(log == Log{"begin x 1", "begin y 3"});
    test.world.run_for(2s);
    CHECK(test.hub.acknowledged == std::vector{first, other});
    test.world.run_for(10s);
    CHECK(test.hub.acknowledged == std::vector{first, other, second});
    CHECK(log == Log{"begin x 1", "begin y 3", "end x 1", "begin x 2", "end y 3", "end x 2"});
}

TEST_CASE("a handler that fails or throws leaves its message unacknowledged, and the connection is reopened") {
    int calls = 0;
    DeviceClientHandlers handlers;
    handlers.on_input = [&](std::string, model::Message) -> Task<Result<>> {
        ++calls;
        if (calls == 1) co_return fail(Errc::io, "on purpose");
        if (calls == 2) throw std::runtime_error("on purpose");
        co_return Result<>{};
    };
    TestClient test(std::move(handlers));
    test.connect();
    for (int attempt = 1; attempt <= 3; ++attempt) {
        const auto id = test.hub.push(input_of("x"), "poison");
        test.world.run_for(5s);
        CHECK(calls == attempt);
        CHECK(test.hub.acknowledged == (attempt == 3 ? std::vector{id} : std::vector<mqtt::PacketId>{}));
        CHECK(test.hub.connects.size() == static_cast<std::size_t>(std::min(attempt + 1, 3)));
    }
}

TEST_CASE("a message that came on an earlier connection is not acknowledged on a later one") {
    Log log;
    DeviceClientHandlers handlers;
    sim::SimClock* clock = nullptr;
    handlers.on_input = [&](std::string input, model::Message message) {
        return slow_input(*clock, 10s, log, std::move(input), std::move(message));
    };
    TestClient test(std::move(handlers));
    clock = &test.world.clock();
    test.connect();
    test.hub.push(input_of("x"), "1");
    test.hub.push(input_of("x"), "2");
    test.world.run_for(1s);
    test.hub.drop();
    test.world.run_for(2s);
    REQUIRE(test.client->connected());
    const auto again = test.hub.push(input_of("x"), "1 again");
    test.world.run_for(30s);
    CHECK(test.hub.acknowledged == std::vector{again});
    CHECK(log == Log{"begin x 1", "end x 1", "begin x 1 again", "end x 1 again"});
}

TEST_CASE("a hub that pushes without end is left") {
    DeviceClientHandlers handlers;
    sim::SimClock* clock = nullptr;
    Log log;
    handlers.on_input = [&](std::string input, model::Message message) {
        return slow_input(*clock, 1h, log, std::move(input), std::move(message));
    };
    TestClient test(std::move(handlers));
    clock = &test.world.clock();
    test.connect();
    for (int count = 0; count < 4200; ++count) test.hub.push(input_of("x"), "m", mqtt::QoS::at_most_once);
    test.world.run_for(100ms);
    CHECK_FALSE(test.client->connected());
    CHECK(test.client->last_error()->code == Errc::full);
    CHECK(log.size() == 1);
}

TEST_CASE("a topic that means nothing is acknowledged and left out") {
    DeviceClientHandlers handlers;
    int calls = 0;
    handlers.on_input = [&](std::string, model::Message) -> Task<Result<>> {
        ++calls;
        co_return Result<>{};
    };
    TestClient test(std::move(handlers));
    test.connect();
    const auto odd = test.hub.push("some/other/topic", "?");
    const auto good = test.hub.push(input_of("x"), "!");
    test.world.run_for(1s);
    CHECK(test.hub.acknowledged == std::vector{odd, good});
    CHECK(calls == 1);
    CHECK(test.client->connected());
}

TEST_CASE("desired patches come one at a time and in order") {
    Log log;
    sim::SimClock* clock = nullptr;
    DeviceClientHandlers handlers;
    handlers.on_desired = [&](boost::json::object patch) -> Task<> {
        log.push_back("begin " + std::to_string(patch.at("$version").as_int64()));
        co_await clock->sleep(1s);
        log.push_back("end");
    };
    TestClient test(std::move(handlers));
    clock = &test.world.clock();
    test.connect();
    test.hub.push(desired_patch_topic(2), R"({"a":1,"$version":2})", mqtt::QoS::at_most_once);
    test.hub.push(desired_patch_topic(3), R"({"a":2,"$version":3})");
    test.hub.push(desired_patch_topic(4), "not json");
    test.world.run_for(3s);
    CHECK(log == Log{"begin 2", "end", "begin 3", "end"});
    CHECK(test.hub.acknowledged.size() == 2);
}

TEST_CASE("methods run at the same time, sixteen at most, and each answer finds its request") {
    sim::SimClock* clock = nullptr;
    DeviceClientHandlers handlers;
    handlers.on_method = [&](MethodRequest request) { return slow_method(*clock, 1s, std::move(request)); };
    TestClient test(std::move(handlers));
    clock = &test.world.clock();
    test.connect();
    for (int at = 0; at < 17; ++at)
        test.hub.push(method_request_topic("reset", std::to_string(at)), std::to_string(at), mqtt::QoS::at_most_once);
    test.world.run_for(500ms);
    REQUIRE(test.hub.method_answers.size() == 1);
    CHECK(test.hub.method_answers[0].topic == method_response_topic(429, "16"));
    test.world.run_for(1s);
    REQUIRE(test.hub.method_answers.size() == 17);
    CHECK(test.hub.method_answers[1].topic == method_response_topic(207, "0"));
    CHECK(test.hub.method_answers[1].payload == "reset0");
}

TEST_CASE("a method's handler that throws is answered with 500, and without handlers with 501") {
    DeviceClientHandlers handlers;
    handlers.on_method = [](MethodRequest) -> Task<MethodResponse> {
        throw std::runtime_error("on purpose");
        co_return MethodResponse{};
    };
    TestClient test(std::move(handlers));
    test.connect();
    test.hub.push(method_request_topic("a", "1"), "null", mqtt::QoS::at_most_once);
    test.world.run_for(1s);
    CHECK(test.hub.method_answers.at(0).topic == method_response_topic(500, "1"));

    TestClient without;
    without.connect();
    without.hub.push(method_request_topic("a", "1"), "null", mqtt::QoS::at_most_once);
    without.world.run_for(1s);
    CHECK(without.hub.method_answers.at(0).topic == method_response_topic(501, "1"));
}

TEST_CASE("the twin is read and reported, and the hub's refusal is an error with its words") {
    TestClient test;
    test.connect();
    std::string reported;
    test.hub.on_twin = [&](std::string_view topic, std::string_view body) -> std::pair<int, std::string> {
        if (topic.find("GET") != std::string_view::npos)
            return {200, R"({"desired":{"a":1,"$version":4},"reported":{}})"};
        reported = body;
        return {204, ""};
    };
    const auto twin = test.world.run(get_twin(*test.client));
    REQUIRE(twin);
    CHECK(twin->at("desired").at("$version") == 4);
    CHECK(test.world.run(report(*test.client, {{"b", 2}})));
    CHECK(reported == R"({"b":2})");
    test.hub.on_twin = [](std::string_view, std::string_view) {
        return std::pair<int, std::string>{429, R"({"errorCode":429001,"message":"slow down"})"};
    };
    const auto refused = test.world.run(report(*test.client, {{"b", 2}}));
    CHECK(refused.error().code == Errc::full);
    CHECK(refused.error().text.find("slow down") != std::string::npos);
    test.hub.on_twin = [](std::string_view, std::string_view) { return std::pair<int, std::string>{200, "[]"}; };
    CHECK(test.world.run(get_twin(*test.client)).error().code == Errc::malformed);
}

TEST_CASE("twin requests end: with a timeout, with the connection, at once while away, and sixteen at most") {
    TestClient test({}, [](DeviceClientOptions& options) { options.request_limit = 20s; });
    test.connect();
    CHECK(test.world.run(get_twin(*test.client)).error().code == Errc::timeout);
    CHECK(test.client->connected());

    std::vector<Result<boost::json::object>> results;
    for (int at = 0; at < 17; ++at) test.tasks.spawn("get", get_twin_into(*test.client, results));
    test.world.run_for(1s);
    REQUIRE(results.size() == 1);
    CHECK(results[0].error().code == Errc::full);
    test.hub.stop_listening();
    test.hub.drop();
    test.world.run_for(1s);
    REQUIRE(results.size() == 17);
    CHECK(results[1].error().code == Errc::closed);
    CHECK(test.world.run(get_twin(*test.client)).error().code == Errc::unreachable);
}

TEST_CASE("messages to the device are subscribed to while they are wanted, and left to the hub while not") {
    Log log;
    DeviceClientHandlers handlers;
    handlers.on_cloud_to_device = [&](model::Message message) -> Task<Result<>> {
        log.push_back(message.body);
        if (message.body == "left") co_return fail(Errc::closed, "nobody wants it any more");
        co_return Result<>{};
    };
    TestClient test(std::move(handlers));
    const std::string filter = "devices/d1/modules/m1/messages/devicebound/#";
    const std::string topic = "devices/d1/modules/m1/messages/devicebound/%24.mid=1";
    test.client->take_commands(false);
    test.connect();
    REQUIRE(test.hub.subscribes.size() == 1);
    CHECK(test.hub.subscribes[0].filters.size() == 1);

    test.client->take_commands(true);
    test.client->take_commands(false);
    test.client->take_commands(true);
    test.world.run_for(1s);
    REQUIRE(test.hub.subscribes.size() == 2);
    CHECK(test.hub.subscribes[1].filters.at(0).filter == filter);
    const auto wanted = test.hub.push(topic, "1");
    test.world.run_for(1s);
    CHECK(log == Log{"1"});
    CHECK(test.hub.acknowledged == std::vector{wanted});
    test.hub.push(topic, "left");
    test.world.run_for(1s);
    CHECK(std::exchange(log, {"1"}) == Log{"1", "left"});
    CHECK(test.hub.acknowledged == std::vector{wanted});
    CHECK(test.hub.connects.size() == 1);

    test.client->take_commands(false);
    test.world.run_for(1s);
    REQUIRE(test.hub.unsubscribes.size() == 1);
    CHECK(test.hub.unsubscribes[0].filters == std::vector{filter});
    test.hub.push(topic, "2");
    test.world.run_for(1s);
    CHECK(log == Log{"1"});
    CHECK(test.hub.acknowledged == std::vector{wanted});

    // Only a new connection brings again what was left out.
    test.client->take_commands(true);
    test.world.run_for(5s);
    REQUIRE(test.hub.connects.size() == 2);
    CHECK(test.hub.subscribes.back().filters.size() == 2);
    const auto again = test.hub.push(topic, "2");
    test.world.run_for(1s);
    CHECK(log == Log{"1", "2"});
    CHECK(test.hub.acknowledged == std::vector{wanted, again});
}
