// The sample modules in a world with a scripted hub.
#include "filter/filter.hpp"
#include "iothub/client/test_hub.hpp"
#include "model/twin.hpp"
#include "sensor/sensor.hpp"
#include "sensor/thermometer.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <fmt/core.h>
#include <boost/json/value.hpp>

#include <fstream>
#include <map>
#include <set>

using namespace skerry;
using namespace skerry::iothub;
using namespace skerry::modules;
using namespace std::chrono_literals;

namespace {
// A module's client, its hub and its ledger.
struct Stage {
    sim::World world;
    TestHub hub{world.executor(),
                [this] { return world.network().host("hub").listen_tls("hub.example", 8883, nullptr); }};
    sim::TemporaryFolder folder;
    std::unique_ptr<storage::Files> files{storage::make_system_files()};
    std::string ledger_path{(folder.path() / "ledger").native()};
    Ledger ledger{Ledger::open(ledger_path).value()};
    Platform platform{world.executor(), world.clock(), world.random(), world.network(), *files};
    std::unique_ptr<sdk::ModuleClient> client;
    Event stop{world.executor()};
    TaskScope tasks{world.executor()};
    std::string desired{"{}"};

    Stage() {
        world.network().set_latency(1ms);
        const auto identity = model::Identity::module("d1", "m1").value();
        client = std::make_unique<sdk::ModuleClient>(
            platform,
            sdk::Connection{DeviceClientOptions{.dial_host = "hub.example",
                                                .tls = nullptr,
                                                .identity = identity,
                                                .auth_chain = {},
                                                .first_backoff = 100ms,
                                                .longest_backoff = 5s,
                                                .connector = {}},
                            std::make_shared<Credentials>("hub.example", identity, key_signer("k"), world.clock())});
        hub.on_twin = [this](std::string_view, std::string_view) {
            return std::pair(200, fmt::format(R"({{"desired":{},"reported":{{}}}})", desired));
        };
    }
    ~Stage() {
        stop.set();
        world.run(tasks.idle());
        world.run(hub.close());
    }

    void sense() { tasks.spawn("sensor", run_sensor(platform, *client, ledger, stop)); }
    void filter() { tasks.spawn("filter", run_filter(*client, ledger, stop)); }
    void patch(const std::string& json, std::int64_t version) {
        hub.push(desired_patch_topic(version), json, mqtt::QoS::at_most_once);
    }
    void reading(double temperature, const std::string& id) {
        hub.push("devices/d1/modules/m1/inputs/input1/%24.mid=" + id + "&a=1",
                 fmt::format(R"({{"machine":{{"temperature":{},"pressure":1}}}})", temperature));
    }
    [[nodiscard]] std::vector<std::string> ledger_lines() const {
        std::vector<std::string> lines;
        std::ifstream in(ledger_path);
        for (std::string line; std::getline(in, line);) lines.push_back(line);
        return lines;
    }
};

PropertyBag bag_of(const mqtt::Publish& publish) {
    return std::get<TelemetryTopic>(parse_client_topic(publish.topic).value()).properties;
}
std::string id_of(const mqtt::Publish& publish) {
    const auto bag = bag_of(publish);
    return std::string(model::find(bag.system, "messageId")->value.value());
}
}  // namespace

TEST_CASE("the sensor sends the well-known message at the interval of its twin") {
    Stage stage;
    stage.desired = R"({"SendInterval":0.5,"$version":1})";
    stage.sense();
    stage.world.run_for(10s);
    const auto& messages = stage.hub.messages;
    REQUIRE(messages.size() >= 18);
    CHECK(messages.size() <= 22);
    const auto body = model::parse_object(messages[0].payload).value();
    CHECK(body.at("machine").at("temperature").is_number());
    CHECK(body.at("machine").at("pressure").is_number());
    CHECK(body.at("ambient").at("temperature").is_number());
    CHECK(body.at("ambient").at("humidity").is_int64());
    CHECK(parse_rfc3339(std::string_view(body.at("timeCreated").as_string())));
    const auto bag = bag_of(messages[0]);
    CHECK(model::find(bag.system, "outputName")->value == "temperatureOutput");
    CHECK(model::find(bag.system, "contentType")->value == "application/json");
    CHECK(model::find(bag.system, "contentEncoding")->value == "utf-8");
    std::set<std::string> ids;
    for (const auto& message : messages) ids.insert(id_of(message));
    CHECK(ids.size() == messages.size());
    CHECK(stage.ledger_lines().at(0) == "sent " + id_of(messages[0]));
}

TEST_CASE("the sensor follows SendData, SendInterval and MessageCount, and ignores nonsense") {
    Stage stage;
    stage.desired = R"({"SendInterval":1,"SendData":false,"$version":1})";
    stage.sense();
    stage.world.run_for(1min);
    CHECK(stage.hub.messages.size() <= 1);  // the one before the twin was read
    stage.patch(R"({"SendData":true,"MessageCount":11,"$version":2})", 2);
    stage.world.run_for(5s);
    CHECK(stage.hub.messages.size() >= 4);
    stage.patch(R"({"SendInterval":0.1,"$version":3})", 3);
    stage.world.run_for(1min);
    CHECK(stage.hub.messages.size() == 11);
    stage.patch(R"({"SendInterval":"soon","MessageCount":-1,"$version":4})", 4);
    stage.world.run_for(51s);
    CHECK(stage.hub.messages.size() >= 20);
    CHECK(stage.hub.messages.size() <= 22);
}

TEST_CASE("the sensor's reset method brings the temperature down") {
    Stage stage;
    stage.desired = R"({"SendInterval":0.01,"$version":1})";
    stage.sense();
    stage.world.run_for(10s);
    const auto temperature = [&] {
        return model::parse_object(stage.hub.messages.back().payload)
            .value()
            .at("machine")
            .at("temperature")
            .to_number<double>();
    };
    CHECK(temperature() > 90);
    stage.hub.push(method_request_topic("reset", "1"), "null", mqtt::QoS::at_most_once);
    stage.world.run_for(50ms);
    CHECK(stage.hub.method_answers.at(0).topic == method_response_topic(200, "1"));
    CHECK(temperature() < 30);
}

TEST_CASE("what the hub had not acknowledged is sent again with the same id, and sampling waits at a thousand") {
    Stage stage;
    stage.desired = R"({"SendInterval":0.01,"$version":1})";
    stage.hub.acknowledges = false;
    stage.sense();
    stage.world.run_for(1s);
    stage.hub.stop_listening();
    stage.hub.drop();
    stage.world.run_for(1min);
    const auto seen_before = stage.hub.messages.size();
    CHECK(seen_before == 64);
    CHECK(stage.ledger_lines().empty());
    stage.hub.acknowledges = true;
    stage.hub.listen();
    stage.world.run_for(20s);
    stage.stop.set();
    stage.world.run_for(6s);
    std::map<std::string, int> copies;
    for (const auto& message : stage.hub.messages) ++copies[id_of(message)];
    for (std::size_t at = 0; at < seen_before; ++at) CHECK(copies[id_of(stage.hub.messages[at])] == 2);
    CHECK(stage.ledger_lines().size() == copies.size());
    // 1,000 while away, and then those of 15 to 20 seconds.
    CHECK(copies.size() >= 2400);
    CHECK(copies.size() <= 3100);
}

TEST_CASE("the sensor stops at once, but not before what it sent is acknowledged") {
    Stage stage;
    stage.desired = R"({"SendInterval":1,"$version":1})";
    stage.sense();
    stage.world.run_for(3s);
    stage.hub.acknowledges = false;
    stage.world.run_for(1s);
    REQUIRE(stage.hub.unacknowledged.size() == 1);
    stage.stop.set();
    stage.world.run_for(2s);
    CHECK(stage.tasks.size() == 1);
    stage.hub.acknowledge_all();
    stage.world.run_for(100ms);
    CHECK(stage.tasks.size() == 0);
    CHECK(stage.ledger_lines().size() == stage.hub.messages.size());
    CHECK(stage.hub.disconnects == 1);
}

TEST_CASE("the filter passes what is above the threshold, with its id, and drops the rest") {
    Stage stage;
    stage.filter();
    stage.world.run_for(1s);
    stage.reading(25, "a");
    stage.reading(25.1, "b");
    stage.hub.push("devices/d1/modules/m1/inputs/input1/%24.mid=c", "no reading");
    stage.world.run_for(1s);
    CHECK(stage.ledger_lines() == std::vector<std::string>{"dropped a", "passed b", "dropped c"});
    CHECK(stage.hub.acknowledged.size() == 3);
    REQUIRE(stage.hub.messages.size() == 1);
    CHECK(id_of(stage.hub.messages[0]) == "b");
    const auto bag = bag_of(stage.hub.messages[0]);
    CHECK(model::find(bag.system, "outputName")->value == "output1");
    CHECK(model::find(bag.application, "MessageType")->value == "Alert");
    CHECK(model::find(bag.application, "a")->value == "1");

    stage.patch(R"({"TemperatureThreshold":30,"$version":1})", 1);
    stage.world.run_for(1s);
    stage.reading(29, "d");
    stage.world.run_for(1s);
    CHECK(stage.ledger_lines().back() == "dropped d");
    CHECK(stage.hub.messages.size() == 1);
}

TEST_CASE("the filter acknowledges what it passes only after the hub has it") {
    Stage stage;
    stage.hub.acknowledges = false;
    stage.filter();
    stage.world.run_for(1s);
    stage.reading(50, "a");
    stage.world.run_for(5s);
    CHECK(stage.hub.messages.size() == 1);
    CHECK(stage.hub.acknowledged.empty());
    CHECK(stage.ledger_lines().empty());
    stage.hub.acknowledge_all();
    stage.world.run_for(1s);
    CHECK(stage.hub.acknowledged.size() == 1);
    CHECK(stage.ledger_lines() == std::vector<std::string>{"passed a"});
}

TEST_CASE("a ledger adds to what is there, and one without a path writes nothing") {
    sim::TemporaryFolder folder;
    const auto path = (folder.path() / "l").native();
    Ledger::open(path).value().add("sent", "1");
    Ledger::open(path).value().add("sent", "2");
    std::ifstream in(path);
    const std::string all((std::istreambuf_iterator<char>(in)), {});
    CHECK(all == "sent 1\nsent 2\n");
    Ledger::open("").value().add("sent", "3");
    CHECK_FALSE(Ledger::open((folder.path() / "none" / "l").native()));
}
