// Messages of the cloud to downstream devices, through a whole hub.
#include "hub/test_hub.hpp"

#include "base/task_scope.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;
namespace wire = codec::mqtt;

namespace {

constexpr const char* filter = "devices/leaf1/messages/devicebound/#";

model::Message message(std::string body) {
    model::Message made;
    made.body = std::move(body);
    made.set_system_property("messageId", "m 1");
    made.properties.emplace_back("colour", "red");
    return made;
}

// What the link does with a message: waits until it is dealt with.
Task<> pass_on(TestHub& hub, model::Message message, std::optional<Result<>>& outcome) {
    outcome = co_await hub.cloud.listener->on_cloud_to_device(identity("leaf1"), std::move(message));
}

}  // namespace

TEST_CASE("a message of the cloud counts as taken when the device has acknowledged it") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto leaf = co_await hub.connect("leaf1");
        CHECK_FALSE(hub.cloud.interests["leaf1"].cloud_to_device);
        co_await leaf->subscribe({filter});
        co_await hub.eventually([&hub] { return hub.cloud.interests["leaf1"].cloud_to_device; });

        std::optional<Result<>> outcome;
        TaskScope scope(co_await boost::asio::this_coro::executor);
        scope.spawn("pass on", pass_on(hub, message("hello"), outcome));
        const auto publish = co_await leaf->expect<wire::Publish>();
        CHECK(publish.topic.starts_with("devices/leaf1/messages/devicebound/"));
        CHECK(publish.topic.contains("%24.mid=m%201"));
        CHECK(publish.topic.contains("%24.to=%2Fdevices%2Fleaf1%2Fmessages%2FdeviceBound"));
        CHECK(publish.topic.contains("colour=red"));
        CHECK(publish.payload == "hello");
        CHECK(publish.qos == wire::QoS::at_least_once);
        co_await hub.clock.sleep(5ms);
        CHECK_FALSE(outcome.has_value());
        co_await leaf->send(wire::Puback{publish.id});
        co_await scope.idle();
        CHECK(outcome->has_value());

        co_await leaf->send(wire::Unsubscribe{.id = 9, .filters = {filter}});
        (void)co_await leaf->expect<wire::Unsuback>();
        CHECK_FALSE(hub.cloud.interests["leaf1"].cloud_to_device);
    });
}

TEST_CASE("a message that a device did not acknowledge before it went stays the cloud's") {
    with_hub([](TestHub& hub) -> Task<> {
        auto leaf = co_await hub.connect("leaf1");
        co_await leaf->subscribe({filter});
        std::optional<Result<>> outcome;
        TaskScope scope(co_await boost::asio::this_coro::executor);
        scope.spawn("pass on", pass_on(hub, message("hello"), outcome));
        (void)co_await leaf->expect<wire::Publish>();
        leaf->drop();
        co_await scope.idle();
        REQUIRE(outcome.has_value());
        CHECK(outcome->error().code == Errc::closed);
        CHECK_FALSE(hub.cloud.interests["leaf1"].cloud_to_device);
        co_await pass_on(hub, message("hello"), outcome);
        CHECK(outcome->error().code == Errc::closed);

        leaf = co_await hub.connect("leaf1");
        co_await leaf->subscribe({filter});
        scope.spawn("pass on", pass_on(hub, message("hello"), outcome));
        const auto again = co_await leaf->expect<wire::Publish>();
        CHECK(again.payload == "hello");
        co_await leaf->send(wire::Puback{again.id});
        co_await scope.idle();
        CHECK(outcome->has_value());
    });
}

TEST_CASE("a subscription without acknowledgements takes a message when it is written") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto leaf = co_await hub.connect("leaf1");
        co_await leaf->subscribe({filter}, wire::QoS::at_most_once);
        std::optional<Result<>> outcome;
        co_await pass_on(hub, message("hello"), outcome);
        CHECK(outcome->has_value());
        CHECK((co_await leaf->expect<wire::Publish>()).payload == "hello");
    });
}

TEST_CASE("an expired message is not delivered, and is dealt with") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto leaf = co_await hub.connect("leaf1");
        co_await leaf->subscribe({filter}, wire::QoS::at_most_once);
        std::optional<Result<>> outcome;
        auto old = message("old");
        old.set_system_property("absolute-expiry-time", format_rfc3339(hub.clock.wall() - 1s, 7));
        co_await pass_on(hub, std::move(old), outcome);
        CHECK(outcome->has_value());
        co_await pass_on(hub, message("new"), outcome);
        CHECK((co_await leaf->expect<wire::Publish>()).payload == "new");
    });
}

TEST_CASE("modules, and filters for somebody else, ask for no messages of the cloud") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto module = co_await hub.connect("edge1/sensor");
        co_await module->subscribe({"devices/edge1/messages/devicebound/#"});
        CHECK_FALSE(hub.cloud.interests["edge1/sensor"].cloud_to_device);
        const auto leaf = co_await hub.connect("leaf1");
        co_await leaf->subscribe({"devices/edge1/messages/devicebound/#"});
        CHECK_FALSE(hub.cloud.interests["leaf1"].cloud_to_device);
    });
}
