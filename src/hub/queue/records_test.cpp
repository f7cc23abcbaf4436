#include "hub/queue/records.hpp"

#include <doctest/doctest.h>

#include <tuple>

using namespace skerry;
using namespace skerry::hub;

namespace {
bool same(const model::Message& a, const model::Message& b) {
    return a.body == b.body && a.properties == b.properties && a.system == b.system;
}
}  // namespace

TEST_CASE("a message comes back from its record as it was") {
    model::Message message;
    SUBCASE("empty") {}
    SUBCASE("with what the hub stamps") {
        message.system = {{"edgeMessageId", "0f9a4c1e-63d2-4b7a-0000-00000000001f"},
                          {"edgeHubOriginInterface", "internal"},
                          {"edgeHubOriginInterface", "downstream"}};
    }
    SUBCASE("with what only looks like it") {
        message.system = {{"edgeMessageId", "0F9A4C1E-63D2-4B7A-0000-00000000001F"},
                          {"edgeMessageId", "0f9a4c1e-63d2-4b7a-0000-00000000001g"},
                          {"edgeMessageId", "0f9a4c1e-63d2-4b7a-0000000000000001f"},
                          {"edgeMessageId", std::nullopt},
                          {"edgeHubOriginInterface", "Internal"},
                          {"edgeHubOriginInterface", std::nullopt}};
        message.properties = {{"edgeMessageId", "0f9a4c1e-63d2-4b7a-0000-00000000001f"},
                              {"edgeHubOriginInterface", "internal"}};
    }
    SUBCASE("with everything") {
        message.body = std::string("\0binary\xff", 8);
        message.properties = {
            {"a", "1"}, {"", ""}, {"key only", std::nullopt}, {"a", "again"}, {"messageId", "not of the system"}};
        message.system = {
            {"edgeMessageId", "e"},        {"messageId", "m"},      {"connectionDeviceId", std::string(300, 'd')},
            {"messageType", std::nullopt}, {"never heard of", "x"}, {"messageid", "another case"}};
    }
    const std::vector<StoredTarget> targets{{1, default_priority, std::nullopt},
                                            {4'000'000'000, 0, std::chrono::seconds(0)},
                                            {7, 9, std::chrono::seconds(7200)}};
    std::string record;
    encode_message(record, {-5, 6}, targets, message);
    const auto head = decode_head(record);
    REQUIRE(head);
    CHECK(head->enqueued.wall == -5);
    CHECK(head->enqueued.monotonic == 6);
    REQUIRE(head->targets.size() == 3);
    for (std::size_t n = 0; n < 3; ++n) {
        CHECK(head->targets[n].endpoint == targets[n].endpoint);
        CHECK(head->targets[n].priority == targets[n].priority);
        CHECK(head->targets[n].time_to_live == targets[n].time_to_live);
    }
    const auto back = decode_message(*head);
    REQUIRE(back);
    CHECK(same(*back, message));
}

TEST_CASE("cursors, endpoints, drops and snapshots come back as they were") {
    const Cursor cursor{3, 9, 1'000'000'000'000, {5, 8, 999'999'999'999}};
    const auto back = decode_cursor(encode_cursor(cursor));
    REQUIRE(back);
    CHECK(back->endpoint == 3);
    CHECK(back->priority == 9);
    CHECK(back->high == cursor.high);
    CHECK(back->holes == cursor.holes);
    CHECK(decode_endpoint(encode_endpoint({12, "dev/mod/in"}))->name == "dev/mod/in");
    CHECK(decode_drop(encode_drop(300)) == 300U);

    Snapshot snapshot{{1, 2, 3},    {-7, 8},
                      13,           {{12, "iothub"}, {11, ""}},
                      {cursor, {}}, {{4096, 8192, -3, {{12, 4, 100, 4200, 8000}}}}};
    const auto again = decode_snapshot(encode_snapshot(snapshot));
    REQUIRE(again);
    CHECK(again->boot == snapshot.boot);
    REQUIRE(again->summaries.size() == 1);
    CHECK(again->summaries[0].base == 4096);
    CHECK(again->summaries[0].end == 8192);
    CHECK(again->summaries[0].last_seen == -3);
    REQUIRE(again->summaries[0].queues.size() == 1);
    const auto& queue = again->summaries[0].queues[0];
    CHECK(std::tuple(queue.endpoint, queue.priority, queue.count, queue.first, queue.last) ==
          std::tuple(12U, 4U, 100U, 4200U, 8000U));
    CHECK(again->taken.wall == -7);
    CHECK(again->next_endpoint == 13);
    CHECK(again->endpoints.at(0).name == "iothub");
    CHECK(again->cursors.at(0).holes == cursor.holes);
    CHECK(again->cursors.at(1).priority == default_priority);
}

TEST_CASE("a record that is cut short is none") {
    model::Message message;
    message.system = {{"messageId", "m"}};
    message.properties = {{"a", "1"}};
    std::string record;
    encode_message(record, {1, 2}, {{1, 5, std::nullopt}}, message);
    const auto is_message = [](std::string_view bytes) {
        const auto head = decode_head(bytes);
        return head && decode_message(*head);
    };
    REQUIRE(is_message(record));
    for (std::size_t size = 0; size < record.size(); ++size)
        CHECK_FALSE(is_message(std::string_view(record).substr(0, size)));
    const auto snapshot = encode_snapshot({{}, {}, 2, {{1, "iothub"}}, {{1, 5, 100, {50, 60}}}, {}});
    REQUIRE(decode_snapshot(snapshot));
    for (std::size_t size = 0; size < snapshot.size(); ++size)
        CHECK_FALSE(decode_snapshot(std::string_view(snapshot).substr(0, size)));
    CHECK_FALSE(decode_cursor(std::string(30, '\xff')));
}
