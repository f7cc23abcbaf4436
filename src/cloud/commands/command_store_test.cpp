#include "cloud/commands/command_store.hpp"

#include "cloud/registry/stores_test.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::cloud;
using namespace std::chrono_literals;

namespace {

struct Commands : TestStores {
    CommandStore& store = stores->commands;
    model::Identity d1 = id("d1");

    Commands() { device("d1"); }
    Outcome<> put(std::string body, Acknowledgement acknowledgement = Acknowledgement::none, std::string expiry = {}) {
        model::Message message;
        message.body = std::move(body);
        message.properties = {{"a", "1"}, {"empty", std::nullopt}};
        message.set_system_property("messageId", is_utf8(message.body) ? "id of " + message.body : "id");
        if (!expiry.empty()) message.set_system_property("absolute-expiry-time", expiry);
        return store.put(d1, std::move(message), acknowledgement);
    }
    std::vector<Command> receive(std::size_t at_most = 100) { return store.receive(d1, at_most, 60s).value(); }
    std::vector<std::string> statuses() {
        std::vector<std::string> all;
        for (const auto& record : store.receive_feedback().value().records)
            all.push_back(std::string(record.at("originalMessageId").as_string()) + ": " +
                          std::string(record.at("statusCode").as_string()));
        return all;
    }
};

}  // namespace

TEST_CASE("messages are received in order, whole, and by one receiver at a time") {
    Commands test;
    const std::string bytes("\0\xff binary", 9);
    REQUIRE(test.put(bytes));
    REQUIRE(test.put("second"));
    const auto first = test.receive(1);
    REQUIRE(first.size() == 1);
    CHECK(first[0].message.body == bytes);
    CHECK(first[0].message.properties == model::Properties{{"a", "1"}, {"empty", std::nullopt}});
    CHECK(first[0].message.system_property("to") == "/devices/d1/messages/deviceBound");
    CHECK(first[0].message.system_property("messageId") == "id");
    const auto rest = test.receive();
    REQUIRE(rest.size() == 1);
    CHECK(rest[0].message.body == "second");
    CHECK(test.receive().empty());

    CHECK(test.store.complete(test.d1, first[0].lock_token));
    CHECK(test.store.complete(test.d1, first[0].lock_token).error().code == HubCode::precondition_failed);
    test.clock.now += 61s;
    const auto again = test.receive();
    REQUIRE(again.size() == 1);
    CHECK(again[0].message.body == "second");
    CHECK(again[0].delivery_count == 0);
    CHECK(test.store.complete(test.d1, rest[0].lock_token).error().code == HubCode::precondition_failed);
    CHECK(test.store.release(test.d1, {again[0].lock_token}));
    CHECK(test.receive().size() == 1);
    CHECK(test.store.release_all());
    CHECK(test.receive().size() == 1);
}

TEST_CASE("senders hear what they asked for") {
    Commands test;
    REQUIRE(test.put("completed", Acknowledgement::full));
    REQUIRE(test.put("completed unheard", Acknowledgement::negative));
    REQUIRE(test.put("rejected", Acknowledgement::negative));
    REQUIRE(test.put("rejected unheard", Acknowledgement::positive));
    REQUIRE(test.put("silent"));
    REQUIRE(test.put("expired", Acknowledgement::full, format_rfc3339(test.clock.now + 5min)));
    REQUIRE(test.put("purged", Acknowledgement::full));
    const auto commands = test.receive(5);
    CHECK(test.store.complete(test.d1, commands[0].lock_token));
    CHECK(test.store.complete(test.d1, commands[1].lock_token));
    CHECK(test.store.reject(test.d1, commands[2].lock_token));
    CHECK(test.store.reject(test.d1, commands[3].lock_token));
    CHECK(test.store.complete(test.d1, commands[4].lock_token));
    test.clock.now += 6min;
    CHECK(test.receive().size() == 1);
    CHECK(test.store.purge(test.d1) == 1);

    const auto feedback = test.store.receive_feedback().value();
    REQUIRE(feedback.records.size() == 4);
    CHECK(feedback.records[0].at("deviceId") == "d1");
    CHECK(feedback.records[0].at("deviceGenerationId").as_string() == test.find("d1").generation_id);
    CHECK(test.store.receive_feedback().value().records.empty());
    CHECK(test.store.abandon_feedback(feedback.lock_token));
    CHECK(test.statuses() == std::vector<std::string>{"id of completed: Success", "id of rejected: Rejected",
                                                      "id of expired: Expired", "id of purged: Purged"});
    test.clock.now += 61s;
    const auto last = test.store.receive_feedback().value();
    CHECK(test.store.complete_feedback(last.lock_token));
    CHECK(test.store.complete_feedback(last.lock_token).error().code == HubCode::precondition_failed);
    test.clock.now += 61s;
    CHECK(test.statuses().empty());
}

TEST_CASE("a message that is abandoned ten times is given up") {
    Commands test;
    REQUIRE(test.put("poison", Acknowledgement::negative));
    for (std::int64_t count = 0; count < 10; ++count) {
        const auto commands = test.receive();
        REQUIRE(commands.size() == 1);
        CHECK(commands[0].delivery_count == count);
        REQUIRE(test.store.abandon(test.d1, commands[0].lock_token));
    }
    CHECK(test.receive().empty());
    CHECK(test.statuses() == std::vector<std::string>{"id of poison: DeliveryCountExceeded"});
}

TEST_CASE("what can't be queued is refused with what is wrong") {
    Commands test;
    CHECK(test.store.put(id("nobody"), {}, {}).error().code == HubCode::device_not_found);
    CHECK(test.put(std::string(65 * 1024, 'x')).error().code == HubCode::message_too_large);
    CHECK(test.put("late", {}, format_rfc3339(test.clock.now - 1s)).error().code == HubCode::argument_invalid);
    CHECK(test.put("far", {}, format_rfc3339(test.clock.now + 49h)).error().code == HubCode::argument_invalid);
    CHECK(test.put("odd", {}, "tomorrow").error().code == HubCode::argument_invalid);
    model::Message odd;
    odd.properties.emplace_back("a", "\xff");
    CHECK(test.store.put(test.d1, odd, {}).error().code == HubCode::argument_invalid);
    for (int i = 0; i < 50; ++i) REQUIRE(test.put("one"));
    CHECK(test.put("too many").error().code == HubCode::device_maximum_queue_depth);
    CHECK(parse_acknowledgement("full") == Acknowledgement::full);
    CHECK(parse_acknowledgement("") == Acknowledgement::none);
    CHECK_FALSE(parse_acknowledgement("perhaps"));
    // An hour is what messages have when nobody says otherwise.
    test.clock.now += 61min;
    CHECK(test.receive().empty());
}
