// What records that ask for less than a sync cost, and what a crash leaves of them.
#include "storage/log_fixture_test.hpp"

#include <algorithm>

using namespace skerry;
using namespace skerry::storage;

namespace {
SegmentLog::Staged put(Fixture& fixture, std::string_view text, Durability durability) {
    return fixture.log->stage(text_kind, text, false, durability).value();
}

Task<> turns(int count) {
    for (int n = 0; n < count; ++n) co_await next_turn();
}

bool is_front_of(const Texts& part, const Texts& all) {
    return part.size() <= all.size() && std::equal(part.begin(), part.end(), all.begin());
}
}  // namespace

TEST_CASE("what asks for `os` is written at once, and synced when the log is told to settle") {
    auto disk = disk_with_folder();
    Fixture fixture(disk);
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        REQUIRE(co_await fixture.append("first"));
        const auto before = disk.operations();
        const auto staged = put(fixture, "one", Durability::os);
        co_await turns(20);
        CHECK(disk.operations() - before == 1);  // a write
        CHECK(fixture.reader.written > staged.at);
        CHECK(fixture.log->durable_end() <= staged.at);
        fixture.log->settle();
        CHECK(co_await fixture.log->wait(staged));
        CHECK(disk.operations() - before == 2);
        CHECK(fixture.log->durable_end() > staged.at);
        co_await fixture.close();
    });
}

TEST_CASE("what asks for `memory` is written with what asks for more, or when the log is told to settle") {
    auto disk = disk_with_folder();
    Fixture fixture(disk, 1 << 20);
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        REQUIRE(co_await fixture.append("first"));
        const auto before = disk.operations();
        const auto staged = put(fixture, "one", Durability::memory);
        co_await turns(20);
        CHECK(disk.operations() == before);
        SUBCASE("another comes") {
            REQUIRE(co_await fixture.append("two"));
            CHECK(disk.operations() - before == 2);
            CHECK(co_await fixture.log->wait(staged));
        }
        SUBCASE("time is over: no sync for its sake") {
            fixture.log->settle();
            co_await turns(20);
            CHECK(disk.operations() - before == 1);
            CHECK(fixture.reader.written > staged.at);
            CHECK(fixture.log->durable_end() <= staged.at);
        }
        co_await fixture.close();
        CHECK(disk.operations() - before >= 2);  // a log that is closed has nothing unsynced
    });
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        CHECK(fixture.reader.recovered.at(1) == "one");
        co_await fixture.close();
    });
}

TEST_CASE("in a group with one that must be synced, the others are told of the write before the sync") {
    auto disk = disk_with_folder();
    Fixture fixture(disk);
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        REQUIRE(co_await fixture.append("first"));
        disk.fail_at(disk.operations() + 2, Errc::io);
        const auto hasty = put(fixture, "hasty", Durability::os);
        const auto careful = put(fixture, "careful", Durability::disk);
        CHECK(careful.group == hasty.group);
        CHECK((co_await fixture.log->wait(careful)).error().code == Errc::io);
        CHECK(fixture.reader.written > careful.at);
        CHECK(fixture.reader.refusals == std::vector{hasty.at});  // whoever was told must keep it
        REQUIRE(co_await fixture.append("on"));
        CHECK(co_await fixture.read_all(4096) == Texts{"first", "on"});
        co_await fixture.close();
    });
    // It was told that it survives the process, so it was left in the file.
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        CHECK(fixture.log->recovery().quarantined == 0);
        CHECK(std::ranges::count(fixture.reader.recovered, "hasty") <= 1);
        CHECK(fixture.reader.recovered.back() == "on");
        co_await fixture.close();
    });
}

TEST_CASE("the segments before the last one are durable, also when nobody asked for that") {
    auto disk = disk_with_folder();
    Fixture fixture(disk);
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        for (const auto& text : numbers(200)) {
            put(fixture, text, Durability::os);
            co_await turns(4);
        }
        const auto bases = fixture.log->segments();
        REQUIRE(bases.size() > 4);
        CHECK(fixture.log->durable_end() >= fixture.log->end_of(bases.at(bases.size() - 2)));
        CHECK(fixture.log->removable(bases.at(bases.size() - 3)));
        co_await fixture.close();
    });
}

TEST_CASE("whatever a power cut takes of what was not synced, no damage is reported and what was synced is there") {
    int lost = 0;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        auto disk = disk_with_folder(seed);
        Fixture fixture(disk);
        Texts all;
        std::size_t durable = 0;
        for (int life = 0; life < 4; ++life) {
            run([&](Executor executor) -> Task<> {
                REQUIRE(co_await fixture.open(executor));
                CHECK_MESSAGE(fixture.log->recovery().quarantined == 0, "seed ", seed);
                CHECK_MESSAGE(is_front_of(fixture.reader.recovered, all), "seed ", seed);
                CHECK_MESSAGE(fixture.reader.recovered.size() >= durable, "seed ", seed);
                all = fixture.reader.recovered;
                const auto count = 10 + seed % 70;
                for (std::size_t n = 0; n < count; ++n) {
                    all.push_back(std::to_string(life * 1000 + static_cast<int>(n)) + std::string(100, '.'));
                    const auto kind = (seed + n * n) % 11;
                    put(fixture, all.back(),
                        kind == 0  ? Durability::disk
                        : kind < 7 ? Durability::os
                                   : Durability::memory);
                    if (n % 3 == 0) co_await turns(static_cast<int>(seed % 5));
                }
                co_await turns(10);
                const auto end = fixture.log->durable_end();
                durable = 0;
                for (LogPosition at = 0; at < end;)
                    at = (co_await fixture.log->read(at, 4096, [&](const LogRecord& record) {
                             durable += record.kind == text_kind ? 1 : 0;
                         })).value();
                fixture.log.reset();
            });
            lost += durable < all.size() ? 1 : 0;
            // Every other time only the process is gone, and its successor may not trust what it finds.
            if (life % 2 == 1) disk.restore_power();
        }
    }
    CHECK(lost > 100);
}

TEST_CASE("what was written when the process was killed is durable once the log has been opened") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        auto disk = disk_with_folder(seed);
        Fixture fixture(disk);
        run([&](Executor executor) -> Task<> {
            REQUIRE(co_await fixture.open(executor));
            for (const auto& text : numbers(20)) put(fixture, text, Durability::os);
            co_await turns(20);
            fixture.log.reset();
        });
        for (int opening = 0; opening < 2; ++opening) {
            run([&](Executor executor) -> Task<> {
                REQUIRE(co_await fixture.open(executor));
                CHECK(fixture.reader.recovered == numbers(20));
                CHECK(fixture.log->recovery().quarantined == 0);
                fixture.log.reset();
            });
            disk.restore_power();
        }
    }
}
