// The token's renewal: a planned reconnect that nobody notices.
#include "iothub/client/test_hub.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::iothub;
using namespace std::chrono_literals;

namespace {
Task<Result<>> send_after(Clock& clock, Duration duration, DeviceClient& client, std::string body) {
    co_await clock.sleep(duration);
    co_return co_await client.send(TestClient::message(std::move(body)));
}

Task<> send_every(Clock& clock, Duration interval, DeviceClient& client, int count, int& sent, int& failed) {
    for (int at = 0; at < count; ++at) {
        co_await clock.sleep(interval);
        const auto result = co_await client.send(TestClient::message(std::to_string(at)));
        ++(result ? sent : failed);
    }
}
}  // namespace

TEST_CASE("a token is renewed between 85 and 90 percent of its life, and no request notices") {
    TestClient test({}, {}, 1h);
    test.connect();
    int sent = 0;
    int failed = 0;
    test.tasks.spawn("sender", send_every(test.world.clock(), 1s, *test.client, 4'000, sent, failed));
    test.world.run_for(51min - 10s);
    CHECK(test.hub.connects.size() == 1);
    test.world.run_for(3min + 20s);
    REQUIRE(test.hub.connects.size() == 2);
    CHECK(test.hub.connects[0].password != test.hub.connects[1].password);
    CHECK(test.hub.disconnects == 1);
    CHECK(test.hub.subscribes.size() == 2);
    CHECK(test.came == 2);
    CHECK(test.went == 0);
    test.world.run_for(20min);
    CHECK(failed == 0);
    CHECK(sent == 4'000);
    CHECK(test.hub.messages.size() == 4'000);  // none twice
}

TEST_CASE("a renewal waits for what is in flight and holds what comes meanwhile") {
    TestClient test({}, [](DeviceClientOptions& options) { options.window = 4; }, 1h);
    test.connect();
    test.world.network().set_latency(200ms);  // so that something is always in flight, and something always waits
    int sent = 0;
    int failed = 0;
    for (int sender = 0; sender < 10; ++sender)
        test.tasks.spawn("sender", send_every(test.world.clock(), 10ms, *test.client, 3'600, sent, failed));
    test.world.run_for(70min);
    CHECK(test.hub.connects.size() == 2);
    CHECK(sent == 36'000);
    CHECK(failed == 0);
    CHECK(test.hub.messages.size() == 36'000);
}

TEST_CASE("a renewal lets handlers finish, with their sends, and their acknowledgement goes out first") {
    DeviceClient* client = nullptr;
    Clock* clock = nullptr;
    std::optional<Result<>> sent;
    DeviceClientHandlers handlers;
    handlers.on_input = [&](std::string, model::Message message) -> Task<Result<>> {
        sent = co_await send_after(*clock, 3s, *client, message.body);
        co_return *sent;
    };
    TestClient test(std::move(handlers), {}, 1h);
    client = test.client.get();
    clock = &test.world.clock();
    test.connect();
    // A handler is always busy, whenever the renewal comes.
    while (test.hub.connects.size() == 1) {
        const auto id = test.hub.push("devices/d1/modules/m1/inputs/x/a=1", "m");
        test.world.run_for(3500ms);
        REQUIRE(sent);
        CHECK(*sent);
        REQUIRE(!test.hub.acknowledged.empty());
        CHECK(test.hub.acknowledged.back() == id);
    }
    CHECK(test.went == 0);
    CHECK(test.came == 2);
}

TEST_CASE("a renewal that finds the hub away is a lost connection") {
    TestClient test({}, {}, 1h);
    test.connect();
    test.hub.stop_listening();
    test.world.run_for(55min);
    CHECK_FALSE(test.client->connected());
    CHECK(test.went == 1);
    test.hub.listen();
    test.world.run_for(31s);
    CHECK(test.client->connected());
    CHECK(test.came == 2);
}
