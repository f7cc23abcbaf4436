#include "storage/segment_compact.hpp"

#include "base/loop.hpp"
#include "sim/disk.hpp"
#include "storage/segment_disk.hpp"
#include "storage/segment_log.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

using namespace skerry;
using namespace skerry::storage;

namespace {
constexpr LogPosition base = 4096;
constexpr LogPosition end = 65536;
constexpr std::uint8_t text_kind = 1;
constexpr std::uint8_t snapshot_kind = 2;
using Texts = std::vector<std::string>;
const std::string compact_first(3000, 'c');  // longer than what it replaces
using Placed = std::map<LogPosition, std::string>;

// A compact segment with a record at each of these places.
std::string compact_bytes(const std::vector<LogPosition>& places) {
    std::string bytes(segment_header_bytes, '\0');
    for (const auto at : places) append_placed(bytes, {at, text_kind, "record " + std::to_string(at), 0, 0});
    return bytes.replace(0, segment_header_bytes, encode_header({base, base, end, bytes.size()}));
}

std::vector<LogPosition> read(std::string_view bytes, const SegmentCheck& check) {
    std::vector<LogPosition> places;
    for_each_of_any(bytes, base, check, [&](const LogRecord& record) {
        CHECK(record.payload == "record " + std::to_string(record.at));
        places.push_back(record.at);
    });
    return places;
}

const std::vector<LogPosition> places{base + 64, base + 4000, base + 20000, base + 60000};

struct Reader final : SegmentLog::Owner, LogReader {
    std::pair<std::uint8_t, std::string> snapshot(LogPosition) override { return {snapshot_kind, "snapshot"}; }
    void stored(LogPosition, Durability) override {}
    void refused(LogPosition, const Error&) override {}
    void first(const LogRecord& record) override { firsts.emplace_back(record.payload); }
    std::optional<LogPosition> known_end(LogPosition) override { return std::nullopt; }
    void visit(LogPosition, const LogRecord& record) override {
        if (record.kind == text_kind) recovered[record.at] = record.payload;
    }
    void skipped(LogPosition) override {}
    Texts firsts;
    Placed recovered;
};

// A log of ten full segments and a bit, and one life of it.
struct Life {
    explicit Life(sim::Disk& on) : disk(on) {}

    Task<Result<>> open(Executor executor) {
        auto opened = co_await SegmentLog::open(disk, "/log", *worker, executor, {4096, 1 << 20, 0}, reader, reader);
        if (!opened) co_return fail(opened.error());
        log = std::move(*opened);
        co_return Result<>{};
    }
    Task<> fill(int count) {
        for (int n = 0; n < count; ++n) {
            const auto text = std::to_string(n) + std::string(200, '.');
            const auto staged = log->stage(text_kind, text);
            REQUIRE(staged);
            REQUIRE(co_await log->wait(*staged));
            written[staged->at] = text;
        }
    }
    // Every tenth record of the segments [from, to).
    Compaction every_tenth(std::size_t from, std::size_t to) {
        Compaction compaction{{}, snapshot_kind, compact_first, {}};
        const auto all = log->segments();
        compaction.bases.assign(all.begin() + static_cast<std::ptrdiff_t>(from),
                                all.begin() + static_cast<std::ptrdiff_t>(to));
        const auto until = log->end_of(compaction.bases.back());
        int n = 0;
        for (const auto& [at, text] : written)
            if (at >= compaction.bases.front() && at < until && n++ % 10 == 0) compaction.keep.push_back(at);
        return compaction;
    }
    Task<Placed> read_all(std::size_t at_most) {
        Placed all;
        for (LogPosition at = 0; at < log->durable_end();) {
            const auto next = co_await log->read(at, at_most, [&all](const LogRecord& record) {
                if (record.kind == text_kind) all[record.at] = record.payload;
            });
            REQUIRE(next);
            REQUIRE(*next > at);
            at = *next;
        }
        co_return all;
    }

    sim::Disk& disk;
    std::unique_ptr<Worker> worker = make_inline_worker();
    Reader reader;
    std::unique_ptr<SegmentLog> log;
    Placed written;
};

void run(const std::function<Task<>(Executor)>& body) {
    Loop loop;
    (void)loop.run([&](Event&) -> Task<int> {
        co_await body(loop.executor());
        co_return 0;
    });
}

// What is left when only `kept` of the run from `first` to `last_end` stays.
Placed without(const Placed& all, LogPosition first, LogPosition last_end, const std::vector<LogPosition>& kept) {
    Placed left = all;
    std::erase_if(left, [&](const auto& each) {
        return each.first >= first && each.first < last_end && !std::ranges::binary_search(kept, each.first);
    });
    return left;
}
}  // namespace

TEST_CASE("a compact segment's records keep their places") {
    const auto bytes = compact_bytes(places);
    const auto check = check_any_segment(bytes, base, decode_header(bytes), 0);
    CHECK(check.compact);
    CHECK(check.end == end);
    CHECK(check.records == 4);
    CHECK(check.used == bytes.size());
    CHECK(check.damage.empty());
    CHECK_FALSE(check.torn);
    CHECK(read(bytes, check) == places);
}

TEST_CASE("whatever is damaged in a compact segment, the other records are found, and a repair keeps them") {
    const auto whole = compact_bytes(places);
    for (std::size_t byte = 0; byte < whole.size(); ++byte) {
        auto bytes = whole;
        bytes[byte] ^= 0x20;
        const auto check = check_any_segment(bytes, base, decode_header(bytes), 0);
        const auto kept = read(bytes, check);
        CAPTURE(byte);
        CHECK(std::ranges::includes(places, kept));
        // Padding is no part of a record; the length of the file is known from its header alone.
        CHECK(kept.size() >= places.size() - 1);
        CHECK((!check.damage.empty() || kept == places));
        const auto repaired = repair_compact(bytes, base, check, base);
        const auto again = check_any_segment(repaired, base, decode_header(repaired), 0);
        CHECK(again.damage.empty());
        CHECK(again.end == check.end);
        CHECK(read(repaired, again) == kept);
    }
}

TEST_CASE("a compact segment that lost its end is damaged, not torn") {
    auto bytes = compact_bytes(places);
    bytes.resize(bytes.size() - 20);
    const auto check = check_any_segment(bytes, base, decode_header(bytes), 0);
    CHECK(check.end == end);
    CHECK(check.damage.size() == 1);
    CHECK(read(bytes, check).size() == 3);
}

TEST_CASE("segments are compacted into one, which is read like any other, also by the next opening") {
    sim::Disk disk(1);
    REQUIRE(disk.make_folders("/log", 0700));
    Placed expected;
    run([&](Executor executor) -> Task<> {
        Life life(disk);
        REQUIRE(co_await life.open(executor));
        co_await life.fill(170);
        const auto before = life.log->bytes_on_disk();
        const auto compaction = life.every_tenth(1, 6);
        const auto last_end = life.log->end_of(compaction.bases.back());
        REQUIRE(co_await life.log->compact(compaction));
        expected = without(life.written, compaction.bases.front(), last_end, compaction.keep);
        CHECK(expected.size() < 100);
        CHECK(life.log->bytes_on_disk() < before - 3 * 4096);
        CHECK(life.log->segment_of(compaction.keep.back()) == compaction.bases.front());
        CHECK(life.log->end_of(compaction.bases.front()) == last_end);
        for (const std::size_t at_most : {1, 700, 100'000}) CHECK(co_await life.read_all(at_most) == expected);
        co_await life.log->close();
    });
    run([&](Executor executor) -> Task<> {
        Life life(disk);
        REQUIRE(co_await life.open(executor));
        CHECK(life.reader.recovered == expected);
        CHECK(std::ranges::count(life.reader.firsts, compact_first) == 1);
        CHECK(life.log->recovery().quarantined == 0);
        CHECK(co_await life.read_all(1000) == expected);
        // Again, together with its neighbours.
        life.written = expected;
        const auto compaction = life.every_tenth(0, 3);
        const auto last_end = life.log->end_of(compaction.bases.back());
        REQUIRE(co_await life.log->compact(compaction));
        expected = without(expected, compaction.bases.front(), last_end, compaction.keep);
        CHECK(co_await life.read_all(1000) == expected);
        co_await life.log->close();
    });
}

TEST_CASE("wherever the power is cut or the disk fails, a compaction is done or undone, never half") {
    for (const auto code : {std::optional<Errc>(), std::optional(Errc::io), std::optional(Errc::full)}) {
        for (std::uint64_t step = 1;; ++step) {
            CAPTURE(step);
            sim::Disk disk(step);
            REQUIRE(disk.make_folders("/log", 0700));
            bool reached = false;
            Placed before;
            Placed after;
            run([&](Executor executor) -> Task<> {
                Life life(disk);
                REQUIRE(co_await life.open(executor));
                co_await life.fill(100);
                const auto compaction = life.every_tenth(1, 4);
                before = life.written;
                after = without(before, compaction.bases.front(), life.log->end_of(compaction.bases.back()),
                                compaction.keep);
                const auto from = disk.operations();
                code ? disk.fail_at(from + step, *code) : disk.cut_power_at(from + step);
                const auto done = co_await life.log->compact(compaction);
                reached = disk.operations() >= from + step;
                if (!disk.is_off() && reached) {
                    CHECK(co_await life.read_all(1000) == (done ? after : before));
                    co_await life.fill(5);
                    for (const auto& [at, text] : life.written)
                        if (!before.contains(at)) after[at] = text;
                    before = life.written;
                }
                disk.restore_power();
                life.log.reset();
            });
            run([&](Executor executor) -> Task<> {
                Life life(disk);
                REQUIRE(co_await life.open(executor));
                const auto& found = life.reader.recovered;
                CHECK((found == before || found == after));
                CHECK(life.log->recovery().quarantined == 0);
                for (const auto& name : disk.list("/log").value()) CHECK_FALSE(name.ends_with(".tmp"));
                co_await life.log->close();
            });
            if (!reached) break;
            REQUIRE(step < 100);
        }
    }
}
