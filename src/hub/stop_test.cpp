// A hub may be stopped at any moment, whatever is under way: it ends in order and nothing of it runs on.
#include "base/task_scope.hpp"
#include "hub/test_hub.hpp"
#include "net/network.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
namespace wire = codec::mqtt;

namespace {
// Whatever becomes of it.
Task<> call_method(TestHub& hub, std::string target, int connect_seconds) {
    codec::HttpRequest request;
    request.method = "POST";
    request.target = fmt::format("/twins/edge1/modules/{}/methods?api-version=2020-09-30", target);
    request.headers.set("Authorization", hub.token("edge1/sensor", key_of("edge1/sensor")));
    request.headers.set("x-ms-edge-moduleId", "edge1/sensor");
    request.body = fmt::format(R"({{"methodName":"wait","connectTimeoutInSeconds":{}}})", connect_seconds);
    try {
        (void)co_await hub.ask(std::move(request));
    } catch (const std::bad_expected_access<Error>&) {}
}

// Says nothing, or a beginning that makes the hub wait for more.
Task<> come_halfway(net::Network& network, std::uint16_t port, std::string beginning) {
    const auto stream = co_await network.connect_tcp("127.0.0.1", port);
    if (!stream) co_return;
    (void)co_await (*stream)->write(beginning);
    std::array<char, 64> buffer;
    for (;;)
        if (const auto count = co_await (*stream)->read_some(buffer); !count || *count == 0) co_return;
}

Task<> come_and_go(TestHub& hub, std::string id) {
    const auto client = co_await hub.dial();
    co_await client->send(connect_packet(id, hub.token(id, key_of(id)), false));
    if (!co_await client->receive()) co_return;
    co_await client->send(wire::Subscribe{.id = 7, .filters = {{"$iothub/twin/res/#", wire::QoS::at_most_once}}});
    while (co_await client->receive()) {}
}

Task<> publish_all(TestClient& client) {
    for (wire::PacketId id = 1; id <= 100; ++id) {
        co_await client.publish("devices/leaf1/messages/events/", "m", id);
        co_await client.publish("$iothub/twin/GET/?$rid=" + std::to_string(id), "", 0);
        co_await client.publish("$iothub/twin/PATCH/properties/reported/?$rid=r" + std::to_string(id),
                                fmt::format(R"({{"n":{}}})", id), 0);
    }
}
}  // namespace

TEST_CASE("a hub that is stopped in the middle of handshakes, requests, calls and messages ends in order") {
    const std::vector<std::string> routes{R"(FROM /messages/* INTO BrokeredEndpoint("/modules/filter/inputs/in"))",
                                          "FROM /messages/* INTO $upstream"};
    const auto stop_after = [](int turns) {
        return [turns](TestHub& hub) -> Task<> {
            const Executor executor = co_await boost::asio::this_coro::executor;
            const auto network = net::make_system_network(executor);
            TaskScope outside(executor);
            const auto filter = co_await hub.connect("edge1/filter");
            co_await filter->subscribe({"$iothub/methods/POST/#"}, wire::QoS::at_most_once);
            co_await filter->subscribe({"devices/edge1/modules/filter/inputs/#"});
            const auto leaf = co_await hub.connect("leaf1");
            const auto port = hub.core().mqtt_port();
            outside.spawn("silent", come_halfway(*network, port, ""));
            outside.spawn("in its handshake", come_halfway(*network, port, {"\x16\x03\x01\x02", 4}));
            outside.spawn("no TLS", come_halfway(*network, port, "GET / HTTP/1.1\r\n\r\n"));
            for (const auto* id : {"edge1/sensor", "leaf1", "stranger"}) outside.spawn("client", come_and_go(hub, id));
            outside.spawn("call", call_method(hub, "filter", 0));
            outside.spawn("call of who is not there", call_method(hub, "absent", 10));
            outside.spawn("messages", publish_all(*leaf));
            for (int turn = 0; turn < turns; ++turn) co_await next_turn();
            co_await hub.stop();
            co_await outside.close();
        };
    };
    for (const int turns : {0, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 500, 1000, 2000}) {
        INFO(turns);
        const auto test = stop_after(turns);
        with_hub(test, routes);
    }
}
