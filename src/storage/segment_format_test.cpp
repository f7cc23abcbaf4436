#include "storage/segment_format.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace skerry;
using namespace skerry::storage;

namespace {
constexpr LogPosition base = 4096;

struct Written {
    std::string bytes = encode_header({base, 0});
    std::vector<LogPosition> places;

    // `unsynced`: bytes before this record that were not durable
    Written& add(std::string_view payload, std::uint32_t unsynced = 0) {
        places.push_back(base + bytes.size());
        append_record(bytes, places.back(), 7, payload, unsynced);
        return *this;
    }
    void damage(std::size_t record, std::size_t byte) { bytes[places[record] - base + byte] ^= 0x40; }
};

std::vector<std::string> read(std::string_view bytes, const SegmentCheck& check) {
    std::vector<std::string> payloads;
    for_each_record(bytes, base, check, [&](const LogRecord& record) { payloads.emplace_back(record.payload); });
    return payloads;
}
using Payloads = std::vector<std::string>;
}  // namespace

TEST_CASE("a segment's header says what it is, and a newer version is not guessed at") {
    auto bytes = encode_header({base, 99});
    REQUIRE(bytes.size() == segment_header_bytes);
    CHECK(decode_header(bytes)->base == base);
    CHECK(decode_header(bytes)->durable_before == 99);
    for (std::size_t byte = 0; byte < bytes.size(); ++byte) {
        auto broken = bytes;
        broken[byte] ^= 1;
        CHECK(decode_header(broken).error().code == Errc::malformed);
    }
    CHECK_FALSE(decode_header(std::string_view(bytes).substr(1)));
}

TEST_CASE("records come back as they were, at their places only") {
    Written segment;
    segment.add("one").add(std::string(1000, 'x')).add("12345678");
    const auto check = check_segment(segment.bytes, base, true, 0);
    CHECK(check.end == base + segment.bytes.size());
    CHECK(check.records == 3);
    CHECK_FALSE(check.torn);
    CHECK(read(segment.bytes, check) == Payloads{"one", std::string(1000, 'x'), "12345678"});
    const auto first = std::string_view(segment.bytes).substr(segment_header_bytes);
    CHECK(decode_record(first, base + segment_header_bytes)->kind == 7);
    CHECK_FALSE(decode_record(first, base + segment_header_bytes + 8));
}

TEST_CASE("a segment cut at any byte keeps the whole records before it") {
    Written segment;
    segment.add("one").add("two two", 24).add("three", 48);
    for (std::size_t cut = segment_header_bytes; cut < segment.bytes.size(); ++cut) {
        auto torn = segment.bytes.substr(0, cut);
        const auto whole = std::ranges::count_if(segment.places, [&](auto place) { return place - base + 24 <= cut; });
        const auto check = check_segment(torn, base, true, 0);
        CHECK(read(torn, check).size() == static_cast<std::size_t>(whole));
        CHECK(check.damage.empty());
        torn.resize(8192);  // reserved space behind; a record that ends in zeros may have become whole by that
        CHECK(check_segment(torn, base, true, 0).end - check.end <= 24);
    }
}

TEST_CASE("an unreadable place is a torn tail when nothing proves that it was durable") {
    Written segment;
    segment.add("one").add("two", 0).add("three", 24);  // two and three in one group
    segment.damage(1, 17);
    const auto check = check_segment(segment.bytes, base, true, 0);
    CHECK(check.end == segment.places[1]);
    CHECK(check.torn);
    CHECK(check.damage.empty());
    CHECK(read(segment.bytes, check) == Payloads{"one"});
}

TEST_CASE("an unreadable place is damage when a later record proves that it was durable") {
    Written segment;
    segment.add("one").add("two").add("three").add("four");
    segment.damage(1, 4);
    SUBCASE("one record") {
        const auto check = check_segment(segment.bytes, base, true, 0);
        CHECK(check.damage.size() == 1);
        CHECK(read(segment.bytes, check) == Payloads{"one", "three", "four"});
    }
    SUBCASE("two, and the repaired segment is whole again") {
        segment.damage(2, 20);
        const auto check = check_segment(segment.bytes, base, true, 0);
        const auto repaired = repair_segment(segment.bytes, base, check, 17);
        CHECK(decode_header(repaired)->durable_before == 17);
        const auto again = check_segment(repaired, base, true, 0);
        CHECK(again.damage.empty());
        CHECK(again.end == check.end);
        CHECK(read(repaired, again) == Payloads{"one", "four"});
    }
    SUBCASE("and the header") {
        segment.bytes.replace(0, 64, std::string(64, '\xff'));
        const auto check = check_segment(segment.bytes, base, false, 0);
        const auto repaired = repair_segment(segment.bytes, base, check, base);
        CHECK(decode_header(repaired)->base == base);
        CHECK(read(repaired, check_segment(repaired, base, true, 0)) == Payloads{"one", "three", "four"});
    }
}

TEST_CASE("a damaged end is damage when the next segment proves that it was durable") {
    Written segment;
    segment.add("one").add("two").add("three", 24);
    segment.damage(2, 0);
    const auto end = base + segment.bytes.size();
    CHECK(check_segment(segment.bytes, base, true, 0).damage.empty());
    const auto check = check_segment(segment.bytes, base, true, end);
    CHECK(check.damage.size() == 1);
    CHECK(check.end == end);
    const auto repaired = repair_segment(segment.bytes, base, check, 0);
    CHECK(read(repaired, check_segment(repaired, base, true, end)) == Payloads{"one", "two"});
}

TEST_CASE("a filler covers exactly what it is asked to, also more than one record can") {
    for (const std::size_t count :
         {std::size_t{24}, std::size_t{32}, 3 * largest_record, record_bytes(largest_record)}) {
        std::string bytes;
        append_filler(bytes, base, count);
        CHECK(bytes.size() == count);
        auto at = base;
        while (const auto record = decode_record(std::string_view(bytes).substr(at - base), at)) at = record->next;
        CHECK(at == base + count);
    }
}
