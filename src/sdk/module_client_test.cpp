#include "sdk/module_client.hpp"

#include "iothub/client/test_hub.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <stdexcept>

using namespace skerry;
using namespace skerry::iothub;
using namespace skerry::sdk;
using namespace std::chrono_literals;

namespace {
struct Stage {
    sim::World world;
    TestHub hub{world.executor(),
                [this] { return world.network().host("hub").listen_tls("hub.example", 8883, nullptr); }};
    std::unique_ptr<storage::Files> files{storage::make_system_files()};
    std::unique_ptr<ModuleClient> client;
    TaskScope tasks{world.executor()};
    std::string desired{R"({"$version":1})"};
    int twin_reads{0};

    Stage() {
        world.network().set_latency(1ms);
        const auto identity = model::Identity::module("d1", "m1").value();
        client = std::make_unique<ModuleClient>(
            Platform{world.executor(), world.clock(), world.random(), world.network(), *files},
            Connection{DeviceClientOptions{.dial_host = "hub.example",
                                           .tls = nullptr,
                                           .identity = identity,
                                           .auth_chain = {},
                                           .connector = {}},
                       std::make_shared<Credentials>("hub.example", identity, key_signer("k"), world.clock())});
        hub.on_twin = [this](std::string_view topic, std::string_view) {
            if (topic.find("GET") == std::string_view::npos) return std::pair(204, std::string());
            ++twin_reads;
            return std::pair(200, fmt::format(R"({{"desired":{},"reported":{{}}}})", desired));
        };
    }
    ~Stage() {
        world.run(client->close());
        world.run(tasks.close());
        world.run(hub.close());
    }

    void start() {
        client->start();
        world.run(client->wait_connected());
        world.run_for(100ms);
    }
    mqtt::PacketId push(std::string_view input, std::string body) {
        return hub.push(
            fmt::format("devices/d1/modules/m1/inputs/{}/%24.mid=id1&%24.cid=c&%24.ct=text%2Fplain&%24.ce=utf-8&"
                        "%24.cdid=d1&%24.cmid=sensor&a=1&b",
                        input),
            std::move(body));
    }
    void send(Message message, Retry retry, std::optional<Result<>>& result) {
        tasks.spawn("send", send_into(*client, std::move(message), retry, result));
    }

private:
    static Task<> send_into(ModuleClient& client, Message message, Retry retry, std::optional<Result<>>& result) {
        result = co_await client.send_event("out", std::move(message), retry);
    }
};

Message text(std::string body) {
    Message message;
    message.body = std::move(body);
    return message;
}
}  // namespace

TEST_CASE("an input's message arrives whole, and an event leaves whole") {
    Stage stage;
    std::optional<Message> received;
    stage.client->set_input_handler("x", [&](Message message) -> Task<Result<>> {
        received = std::move(message);
        co_return Result<>{};
    });
    stage.start();
    const auto id = stage.push("x", "body");
    stage.world.run_for(1s);
    REQUIRE(received);
    CHECK(received->body == "body");
    CHECK(received->message_id == "id1");
    CHECK(received->correlation_id == "c");
    CHECK(received->content_type == "text/plain");
    CHECK(received->content_encoding == "utf-8");
    CHECK(received->sender_device == "d1");
    CHECK(received->sender_module == "sensor");
    CHECK(received->property("a") == "1");
    CHECK(received->property("b") == "");
    CHECK_FALSE(received->property("c"));
    CHECK(stage.hub.acknowledged == std::vector{id});

    std::optional<Result<>> sent;
    stage.send(*received, Retry::no, sent);
    stage.world.run_for(1s);
    REQUIRE(sent);
    CHECK(*sent);
    const auto bag = std::get<TelemetryTopic>(parse_client_topic(stage.hub.messages.at(0).topic).value()).properties;
    CHECK(model::find(bag.system, "outputName")->value == "out");
    CHECK(model::find(bag.system, "messageId")->value == "id1");
    CHECK(model::find(bag.system, "cid")->value == "c");
    CHECK(model::find(bag.system, "contentType")->value == "text/plain");
    CHECK(model::find(bag.system, "contentEncoding")->value == "utf-8");
    CHECK(model::find(bag.application, "a")->value == "1");
}

TEST_CASE("an input is acknowledged only when its handler, with its sends, has completed") {
    Stage stage;
    stage.hub.acknowledges = false;
    auto& client = *stage.client;
    client.set_input_handler("x", [&](Message message) -> Task<Result<>> {
        co_return co_await client.send_event("out", std::move(message));
    });
    stage.start();
    stage.push("x", "m");
    stage.world.run_for(10s);
    CHECK(stage.hub.acknowledged.empty());
    stage.hub.acknowledge_all();
    stage.world.run_for(1s);
    CHECK(stage.hub.acknowledged.size() == 1);
}

TEST_CASE("a message for an input without a handler waits until there is one, and other inputs go on") {
    Stage stage;
    int calls = 0;
    const auto count = [&](Message) -> Task<Result<>> {
        ++calls;
        co_return Result<>{};
    };
    stage.client->set_input_handler("x", count);
    stage.start();
    const auto lonely = stage.push("y", "1");
    const auto other = stage.push("x", "2");
    stage.world.run_for(10s);
    CHECK(stage.hub.acknowledged == std::vector{other});
    stage.client->set_input_handler("y", count);
    stage.world.run_for(1s);
    CHECK(stage.hub.acknowledged == std::vector{other, lonely});
    CHECK(calls == 2);
}

TEST_CASE("a send without retry fails with the connection; one with retry arrives with the same id") {
    Stage stage;
    stage.start();
    stage.hub.acknowledges = false;
    std::optional<Result<>> once;
    std::optional<Result<>> surely;
    auto message = text("m");
    message.message_id = "id7";
    stage.send(message, Retry::no, once);
    stage.send(message, Retry::until_acknowledged, surely);
    stage.world.run_for(1s);
    stage.hub.stop_listening();
    stage.hub.drop();
    stage.world.run_for(1min);
    REQUIRE(once);
    CHECK(once->error().code == Errc::closed);
    CHECK_FALSE(surely);
    stage.hub.acknowledges = true;
    stage.hub.listen();
    stage.world.run_for(31s);
    REQUIRE(surely);
    CHECK(*surely);
    REQUIRE(stage.hub.messages.size() == 3);
    CHECK(stage.hub.messages[2].topic == stage.hub.messages[1].topic);

    std::optional<Result<>> too_large;
    stage.send(text(std::string(300'000, 'x')), Retry::until_acknowledged, too_large);
    stage.world.run_for(1s);
    REQUIRE(too_large);
    CHECK(too_large->error().code == Errc::malformed);
}

TEST_CASE("closing ends a send that would wait for ever") {
    Stage stage;
    stage.start();
    stage.hub.stop_listening();
    stage.hub.drop();
    stage.world.run_for(1s);
    std::optional<Result<>> waiting;
    stage.send(text("m"), Retry::until_acknowledged, waiting);
    stage.world.run_for(1min);
    CHECK_FALSE(waiting);
    stage.world.run(stage.client->close());
    stage.world.run_for(1s);
    REQUIRE(waiting);
    CHECK(waiting->error().code == Errc::closed);
}

TEST_CASE("before start() nothing can be sent") {
    Stage stage;
    std::optional<Result<>> sent;
    stage.send(text("m"), Retry::until_acknowledged, sent);
    stage.world.run_for(1s);
    REQUIRE(sent);
    CHECK_FALSE(*sent);
    CHECK_FALSE(stage.client->connected());
    stage.world.run(stage.client->wait_connected());
}

TEST_CASE("methods reach their handlers by name, and an unknown one is answered with 501") {
    Stage stage;
    stage.client->set_method_handler("double", [](std::string payload) -> Task<MethodReply> {
        co_return MethodReply{201, "[" + payload + "," + payload + "]"};
    });
    stage.start();
    stage.hub.push(method_request_topic("double", "1"), "7", mqtt::QoS::at_most_once);
    stage.hub.push(method_request_topic("other", "2"), "7", mqtt::QoS::at_most_once);
    stage.world.run_for(1s);
    REQUIRE(stage.hub.method_answers.size() == 2);
    CHECK(stage.hub.method_answers[0].topic == method_response_topic(201, "1"));
    CHECK(stage.hub.method_answers[0].payload == "[7,7]");
    CHECK(stage.hub.method_answers[1].topic == method_response_topic(501, "2"));
}

TEST_CASE("desired properties come whole: at start, merged with a patch, read again after a gap or a reconnect") {
    Stage stage;
    std::vector<std::string> seen;
    stage.desired = R"({"a":1,"b":{"c":2},"$version":5})";
    stage.client->set_desired_handler([&](boost::json::object desired) -> Task<> {
        seen.push_back(boost::json::serialize(desired));
        if (seen.size() == 1) throw std::runtime_error("on purpose");
        co_return;
    });
    stage.start();
    REQUIRE(seen.size() == 1);
    CHECK(seen[0] == stage.desired);

    stage.hub.push(desired_patch_topic(6), R"({"b":{"d":3},"a":null,"$version":6})", mqtt::QoS::at_most_once);
    stage.world.run_for(1s);
    REQUIRE(seen.size() == 2);
    CHECK(boost::json::parse(seen[1]) == boost::json::parse(R"({"b":{"c":2,"d":3},"$version":6})"));
    stage.hub.push(desired_patch_topic(6), R"({"b":null,"$version":6})", mqtt::QoS::at_most_once);  // seen already
    stage.world.run_for(1s);
    CHECK(seen.size() == 2);
    CHECK(stage.twin_reads == 1);

    stage.desired = R"({"z":1,"$version":9})";
    stage.hub.push(desired_patch_topic(9), R"({"z":1,"$version":9})", mqtt::QoS::at_most_once);
    stage.world.run_for(1s);
    REQUIRE(seen.size() == 3);
    CHECK(seen[2] == stage.desired);
    CHECK(stage.twin_reads == 2);

    stage.hub.drop();
    stage.world.run_for(5s);
    CHECK(stage.twin_reads == 3);
    CHECK(seen.size() == 3);  // nothing new
}

TEST_CASE("a twin that can't be read is asked for again") {
    Stage stage;
    std::vector<std::string> seen;
    stage.client->set_desired_handler([&](boost::json::object desired) -> Task<> {
        seen.push_back(boost::json::serialize(desired));
        co_return;
    });
    const auto good = stage.hub.on_twin;
    stage.hub.on_twin = [](std::string_view, std::string_view) { return std::pair(503, std::string()); };
    stage.start();
    stage.world.run_for(5s);
    CHECK(seen.empty());
    stage.hub.on_twin = good;
    stage.world.run_for(2s);
    CHECK(seen.size() == 1);
}
