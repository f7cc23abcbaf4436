#include "iothub/device_client.hpp"

#include "iothub/client/test_hub.hpp"
#include "iothub/sas.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace skerry;
using namespace skerry::iothub;
using namespace std::chrono_literals;

namespace {
Task<Result<>> send(DeviceClient& client, model::SharedMessage message) { co_return co_await client.send(message); }

Errc code_of(const std::optional<Result<>>& result) {
    REQUIRE(result);
    REQUIRE_FALSE(*result);
    return result->error().code;
}

std::vector<std::string> filters(const mqtt::Subscribe& subscribe) {
    std::vector<std::string> all;
    for (const auto& subscription : subscribe.filters) all.push_back(subscription.filter);
    return all;
}
}  // namespace

TEST_CASE("a client says who it is, with a token that its key signed") {
    TestClient test;
    test.connect();
    REQUIRE(test.hub.connects.size() == 1);
    const auto& connect = test.hub.connects[0];
    CHECK(connect.client_id == "d1/m1");
    CHECK_FALSE(connect.clean_session);
    CHECK(connect.keep_alive_seconds == 60);
    const auto name = parse_user_name(connect.user_name.value());
    REQUIRE(name);
    CHECK(name->host == "hub.example");
    CHECK(name->identity == TestClient::identity());
    CHECK(name->client_type == "test/1");
    const auto token = parse_sas(connect.password.value());
    REQUIRE(token);
    CHECK(is_signed_with(*token, TestClient::key));
    const std::vector<std::string> hosts{"hub.example"};
    CHECK(covers(*token, hosts, TestClient::identity()));
    CHECK(test.client->connected());
    CHECK(test.client->last_error() == nullptr);
    CHECK(test.came == 1);
}

TEST_CASE("only what has a handler is subscribed") {
    TestClient bare;
    bare.connect();
    CHECK(filters(bare.hub.subscribes.at(0)) == std::vector<std::string>{"$iothub/twin/res/#"});

    DeviceClientHandlers handlers;
    handlers.on_input = [](std::string, model::Message) -> Task<Result<>> { co_return Result<>{}; };
    handlers.on_desired = [](boost::json::object) -> Task<> { co_return; };
    handlers.on_method = [](MethodRequest) -> Task<MethodResponse> { co_return MethodResponse{}; };
    TestClient full(std::move(handlers));
    full.connect();
    const auto all = filters(full.hub.subscribes.at(0));
    CHECK(all.size() == 4);
    CHECK(std::ranges::count(all, "devices/d1/modules/m1/inputs/#") +
              std::ranges::count(all, "devices/d1/modules/m1/#") ==
          1);
}

TEST_CASE("a send ends when the hub has acknowledged it, not before") {
    TestClient test;
    test.connect();
    test.hub.acknowledges = false;
    const auto sent = test.send_many(1);
    test.world.run_for(5s);
    CHECK(sent->finished() == 0);
    REQUIRE(test.hub.messages.size() == 1);
    CHECK(test.hub.messages[0].qos == mqtt::QoS::at_least_once);
    const auto topic = std::get<TelemetryTopic>(parse_client_topic(test.hub.messages[0].topic).value());
    CHECK(topic.identity == TestClient::identity());
    CHECK(model::find(topic.properties.system, "outputName")->value == "out");
    test.hub.acknowledge_all();
    test.world.run_for(5ms);
    REQUIRE(sent->results[0]);
    CHECK(*sent->results[0]);
}

TEST_CASE("at most a window of messages is in flight, and their order is the order of the calls") {
    TestClient test({}, [](DeviceClientOptions& options) { options.window = 10; });
    test.connect();
    test.hub.acknowledges = false;
    const auto sent = test.send_many(25);
    test.world.run_for(1s);
    CHECK(test.hub.messages.size() == 10);
    test.hub.acknowledge(test.hub.unacknowledged[3]);  // out of order is fine
    test.world.run_for(1s);
    CHECK(test.hub.messages.size() == 11);
    CHECK(sent->finished() == 1);
    CHECK(sent->results[3]);
    test.hub.unacknowledged.erase(test.hub.unacknowledged.begin() + 3);
    test.hub.acknowledges = true;
    test.hub.acknowledge_all();
    test.world.run_for(1s);
    CHECK(sent->finished() == 25);
    REQUIRE(test.hub.messages.size() == 25);
    for (std::size_t at = 0; at < 25; ++at) CHECK(test.hub.messages[at].payload == std::to_string(at));
}

TEST_CASE("a connection that is lost fails what was in flight and what waited, and comes back") {
    TestClient test({}, [](DeviceClientOptions& options) { options.window = 2; });
    test.connect();
    test.hub.acknowledges = false;
    const auto sent = test.send_many(3);
    test.world.run_for(5s);
    test.hub.drop();
    test.world.run_for(10ms);
    CHECK(code_of(sent->results[0]) == Errc::closed);
    CHECK(code_of(sent->results[1]) == Errc::closed);
    CHECK(code_of(sent->results[2]) == Errc::unreachable);
    CHECK_FALSE(test.client->connected());
    REQUIRE(test.client->last_error());
    CHECK(test.went == 1);

    const auto meanwhile = test.world.run(send(*test.client, TestClient::message("x")));
    CHECK(meanwhile.error().code == Errc::unreachable);
    test.hub.acknowledges = true;
    test.world.run_for(1s);
    CHECK(test.client->connected());
    CHECK(test.came == 2);
    CHECK(test.hub.subscribes.size() == 2);
    CHECK(test.world.run(send(*test.client, TestClient::message("y"))));
}

TEST_CASE("a hub that stays away is asked now and then, not hammered") {
    TestClient test;
    test.hub.stop_listening();
    test.client->start();
    test.world.run_for(1h);
    CHECK_FALSE(test.client->connected());
    REQUIRE(test.client->last_error());
    CHECK(test.client->last_error()->code == Errc::unreachable);
    CHECK(test.went == 0);
    test.hub.listen();
    test.world.run_for(30s);
    CHECK(test.client->connected());
}

TEST_CASE("a refused token is signed anew and the reason is kept") {
    TestClient test;
    test.hub.connack = mqtt::ConnectCode::not_authorized;
    test.client->start();
    test.world.run_for(10min);
    CHECK_FALSE(test.client->connected());
    CHECK(test.client->last_error()->code == Errc::unauthorized);
    REQUIRE(test.hub.connects.size() > 5);
    CHECK(test.hub.connects.size() < 40);
    CHECK(test.hub.connects.front().password != test.hub.connects.back().password);
    test.hub.connack = mqtt::ConnectCode::accepted;
    test.world.run_for(1min);
    CHECK(test.client->connected());
}

TEST_CASE("a refused or unanswered subscription is no connection") {
    TestClient test({}, [](DeviceClientOptions& options) { options.request_limit = 4s; });
    test.hub.suback_code = 0x80;
    test.client->start();
    test.world.run_for(2s);
    CHECK_FALSE(test.client->connected());
    CHECK(test.client->last_error()->code == Errc::unauthorized);
    test.hub.answers_subscribe = false;
    test.world.run_for(1min);
    CHECK(test.client->last_error()->code == Errc::timeout);
    CHECK(test.came == 0);
    CHECK(test.went == 0);
}

TEST_CASE("an idle connection is kept alive with pings") {
    TestClient test;
    test.connect();
    test.world.run_for(1h);
    CHECK(test.hub.pings >= 60);
    CHECK(test.hub.pings <= 150);
    CHECK(test.hub.connects.size() <= 2);
}

TEST_CASE("a hub that answers neither pings nor messages is left and dialled again") {
    TestClient test;
    test.connect();
    test.hub.answers_pings = false;
    test.world.run_for(2min);
    CHECK(test.hub.connects.size() >= 2);
    CHECK(test.went >= 1);

    test.hub.answers_pings = true;
    test.world.run_for(1min);
    test.hub.acknowledges = false;
    const auto sent = test.send_many(1);
    test.hub.stop_listening();
    test.world.run_for(30s);
    CHECK(code_of(sent->results[0]) == Errc::closed);
    REQUIRE(test.lost);
    CHECK(test.lost->code == Errc::timeout);
}

TEST_CASE("a message that no hub would accept is refused here") {
    TestClient test;
    test.connect();
    const auto large =
        test.world.run(send(*test.client, TestClient::message(std::string(model::largest_message + 1, 'x'))));
    CHECK(large.error().code == Errc::malformed);
    auto many = std::make_shared<model::Message>();
    many->properties.emplace_back("p", std::string(30'000, '%'));
    CHECK(test.world.run(send(*test.client, many)).error().code == Errc::malformed);
    CHECK(test.world.run(send(*test.client, TestClient::message(std::string(200'000, 'x')))));
    CHECK(test.hub.messages.size() == 1);
}

TEST_CASE("closing says goodbye, fails what is in flight and wakes who waits") {
    TestClient test;
    test.connect();
    test.hub.acknowledges = false;
    const auto sent = test.send_many(1);
    test.world.run_for(1s);
    test.world.run(test.client->close());
    test.world.run_for(10ms);
    CHECK(test.hub.disconnects == 1);
    CHECK(code_of(sent->results[0]) == Errc::closed);
    CHECK_FALSE(test.client->connected());
    CHECK(test.went == 0);
    test.world.run(test.client->wait_connected());
    CHECK(test.world.run(send(*test.client, TestClient::message("x"))).error().code == Errc::closed);
}

TEST_CASE("what is no MQTT ends the connection, and only that") {
    TestClient test;
    test.connect();
    test.hub.push_bytes(std::string("\x00\x00\xff\xff\xff\xff", 6));
    test.world.run_for(10ms);
    CHECK_FALSE(test.client->connected());
    CHECK(test.client->last_error()->code == Errc::malformed);
    test.world.run_for(2s);
    CHECK(test.client->connected());
}
