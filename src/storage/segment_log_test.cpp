#include "storage/segment_log.hpp"

#include "sim/temporary_folder.hpp"
#include "storage/log_fixture_test.hpp"

#include <algorithm>

using namespace skerry;
using namespace skerry::storage;

TEST_CASE("what was stored is read back in order, across segments and openings") {
    auto disk = disk_with_folder();
    Fixture fixture(disk);
    const auto texts = numbers(200);
    const auto large = std::string(10'000, 'L');
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        for (const auto& text : texts) REQUIRE(co_await fixture.append(text));
        REQUIRE(co_await fixture.append(large));
        co_await fixture.log->close();
        CHECK(fixture.log->stage(text_kind, "x").error().code == Errc::closed);
        fixture.log.reset();
    });
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        auto expected = texts;
        expected.push_back(large);
        CHECK(fixture.reader.recovered == expected);
        CHECK(fixture.log->recovery().segments > 5);
        CHECK(fixture.log->recovery().cut == 0);
        REQUIRE(co_await fixture.append("more"));
        expected.emplace_back("more");
        for (const std::size_t at_most : {1, 300, 100'000}) CHECK(co_await fixture.read_all(at_most) == expected);
        co_await fixture.close();
    });
}

TEST_CASE("records staged together share one sync") {
    auto disk = disk_with_folder();
    Fixture fixture(disk, 1 << 20);
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        REQUIRE(co_await fixture.append("first"));
        const auto before = disk.operations();
        std::vector<SegmentLog::Staged> staged;
        for (const auto& text : numbers(100)) staged.push_back(fixture.log->stage(text_kind, text).value());
        for (const auto& record : staged) CHECK(co_await fixture.log->wait(record));
        CHECK(disk.operations() - before == 2);  // a write and a sync
        co_await fixture.close();
    });
}

TEST_CASE("positions never come twice, also after a torn tail") {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        auto disk = disk_with_folder(seed);
        Fixture fixture(disk);
        LogPosition last = 0;
        for (int life = 0; life < 4; ++life)
            run([&](Executor executor) -> Task<> {
                REQUIRE(co_await fixture.open(executor));
                disk.cut_power_at(disk.operations() + 9);
                for (const auto& text : numbers(20)) {
                    const auto staged = fixture.log->stage(text_kind, text).value();
                    CHECK_MESSAGE(staged.at > last, "seed ", seed);
                    last = staged.at;
                    if (!co_await fixture.log->wait(staged)) break;
                }
                fixture.log.reset();
                disk.restore_power();
            });
    }
}

TEST_CASE("after a failed sync its group is refused, and the log goes on in a new segment") {
    auto disk = disk_with_folder();
    Fixture fixture(disk);
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        REQUIRE(co_await fixture.append("one"));
        disk.fail_at(disk.operations() + 2, Errc::io);
        const auto staged = fixture.log->stage(text_kind, "two").value();
        const auto with_it = fixture.log->stage(text_kind, "three").value();
        CHECK((co_await fixture.log->wait(staged)).error().code == Errc::io);
        CHECK((co_await fixture.log->wait(with_it)).error().code == Errc::io);
        CHECK(fixture.reader.refusals.size() == 1);
        REQUIRE(co_await fixture.append("four"));
        CHECK(co_await fixture.read_all(4096) == Texts{"one", "four"});
        CHECK(fixture.log->segments().size() == 2);
        co_await fixture.close();
    });
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        CHECK(fixture.reader.recovered == Texts{"one", "four"});
        CHECK(fixture.log->recovery().quarantined == 0);
        co_await fixture.close();
    });
}

TEST_CASE("a full disk is Errc::full, and service resumes when there is space") {
    auto disk = disk_with_folder();
    Fixture fixture(disk);
    disk.set_capacity(10'000);
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        Texts stored;
        Result<> outcome;
        for (const auto& text : numbers(100)) {
            outcome = co_await fixture.append(text);
            if (!outcome) break;
            stored.push_back(text);
        }
        CHECK(outcome.error().code == Errc::full);
        CHECK(stored.size() > 40);
        CHECK((co_await fixture.append("still full")).error().code == Errc::full);
        CHECK(fixture.log->bytes_on_disk() <= 10'000);
        disk.set_capacity(100'000);
        REQUIRE(co_await fixture.append("space"));
        stored.emplace_back("space");
        CHECK(co_await fixture.read_all(1000) == stored);
        co_await fixture.close();
    });
}

TEST_CASE("the reserve is for essential records only") {
    auto disk = disk_with_folder();
    Fixture fixture(disk);
    disk.set_capacity(10'000);
    fixture.options.reserve_bytes = 8'000;
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        CHECK((co_await fixture.append("a message")).error().code == Errc::full);
        const auto staged = fixture.log->stage(text_kind, "a cursor", true).value();
        CHECK(co_await fixture.log->wait(staged));
        co_await fixture.close();
    });
}

TEST_CASE("a segment that is damaged in the middle is quarantined, and loses only what is damaged") {
    auto disk = disk_with_folder();
    Fixture fixture(disk);
    const auto texts = numbers(100);
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        for (const auto& text : texts) REQUIRE(co_await fixture.append(text));
        co_await fixture.close();
    });
    const auto name = disk.list("/log")->at(1);
    auto bytes = disk.contents("/log/" + name);
    bytes[1000] ^= 1;
    disk.put("/log/" + name, bytes);
    disk.put("/log/someone's notes.txt", "not ours");
    for (int opening = 0; opening < 2; ++opening)
        run([&](Executor executor) -> Task<> {
            REQUIRE(co_await fixture.open(executor));
            CHECK(fixture.reader.recovered.size() == 99);
            CHECK(std::ranges::includes(texts, fixture.reader.recovered,
                                        [](const auto& a, const auto& b) { return std::stoi(a) < std::stoi(b); }));
            CHECK(fixture.log->recovery().quarantined == (opening == 0 ? 1 : 0));
            co_await fixture.close();
        });
    CHECK(disk.contents("/log/" + name.substr(0, 16) + ".bad") == bytes);
    CHECK(disk.exists("/log/someone's notes.txt"));
}

TEST_CASE("a segment that holds nothing readable is kept aside, and a repair that was interrupted is finished") {
    auto disk = disk_with_folder();
    Fixture fixture(disk);
    const auto texts = numbers(60);
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        for (const auto& text : texts) REQUIRE(co_await fixture.append(text));
        co_await fixture.close();
    });
    const auto name = disk.list("/log")->at(0);
    SUBCASE("unreadable") {
        disk.put("/log/" + name, std::string(4096, 'x'));
        run([&](Executor executor) -> Task<> {
            REQUIRE(co_await fixture.open(executor));
            CHECK_FALSE(fixture.reader.recovered.empty());
            CHECK(fixture.reader.recovered.size() < 60);
            co_await fixture.close();
        });
        CHECK(disk.exists("/log/" + name.substr(0, 16) + ".bad"));
    }
    SUBCASE("interrupted between the two renames") {
        const auto temporary = "/log/" + name.substr(0, 16) + ".tmp";
        REQUIRE(disk.rename("/log/" + name, temporary));
        run([&](Executor executor) -> Task<> {
            REQUIRE(co_await fixture.open(executor));
            CHECK(fixture.reader.recovered == texts);
            co_await fixture.close();
        });
        CHECK_FALSE(disk.exists(temporary));
    }
}

TEST_CASE("a full segment of which enough is known is not read when the log is opened, unless it was not all durable") {
    auto disk = disk_with_folder();
    Fixture fixture(disk);
    const auto texts = numbers(100);
    std::vector<LogPosition> bases;
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        for (const auto& text : texts) REQUIRE(co_await fixture.append(text));
        bases = fixture.log->segments();
        for (const auto base : bases) fixture.ends[base] = fixture.log->end_of(base);
        co_await fixture.close();
    });
    REQUIRE(bases.size() >= 3);
    std::size_t expected = bases.size() - 1;  // nothing behind the last one tells how far it was durable
    SUBCASE("all is well") {}
    SUBCASE("it is longer than what is known of it") { fixture.ends[bases[0]] -= 8; }
    SUBCASE("what is known is more than was durable") {
        fixture.ends[bases[0]] += 8;
        --expected;
    }
    SUBCASE("it has become short") {
        const auto name = "/log/" + disk.list("/log")->at(0);
        disk.put(name, disk.contents(name).substr(0, 2000));
        --expected;
    }
    SUBCASE("its first record is damaged") {
        const auto name = "/log/" + disk.list("/log")->at(0);
        auto bytes = disk.contents(name);
        bytes[segment_header_bytes + 20] ^= 1;
        disk.put(name, bytes);
        --expected;
    }
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        CHECK(fixture.reader.not_read.size() == expected);
        CHECK(fixture.reader.firsts.size() >= expected);
        const auto all = co_await fixture.read_all(1000);
        CHECK(all.size() >= 70);
        REQUIRE(co_await fixture.append("more"));
        co_await fixture.close();
    });
}

TEST_CASE("full segments are removed when nobody wants them, the newest snapshot never") {
    auto disk = disk_with_folder();
    Fixture fixture(disk);
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        for (const auto& text : numbers(100)) REQUIRE(co_await fixture.append(text));
        const auto before = fixture.log->segments();
        const auto bytes = fixture.log->bytes_on_disk();
        fixture.log->remove(before);
        CHECK(fixture.log->segments() == std::vector{before.back()});
        CHECK(fixture.log->bytes_on_disk() < bytes);
        REQUIRE(co_await fixture.append("on"));
        CHECK(disk.list("/log")->size() == 1);
        CHECK((co_await fixture.read_all(4096)).back() == "on");
        co_await fixture.close();
    });
}

TEST_CASE("a segment stays until the snapshot of the next one is stored") {
    auto disk = disk_with_folder();
    Fixture fixture(disk);
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        REQUIRE(co_await fixture.append("old"));
        const auto old = fixture.log->segments().front();
        const auto staged = fixture.log->stage(text_kind, std::string(4000, 'x')).value();
        REQUIRE(fixture.log->segments().size() == 2);
        CHECK_FALSE(fixture.log->removable(old));
        fixture.log->remove({old});
        CHECK(fixture.log->segments().size() == 2);
        REQUIRE(co_await fixture.log->wait(staged));
        CHECK(fixture.log->removable(old));
        co_await fixture.close();
    });
}

TEST_CASE("whoever would stage too much waits for the disk, in order") {
    auto disk = disk_with_folder();
    Fixture fixture(disk, 1 << 20);
    fixture.options.staged_bytes = 1000;
    run([&](Executor executor) -> Task<> {
        REQUIRE(co_await fixture.open(executor));
        TaskScope scope(executor);
        std::vector<int> order;
        struct Publish {
            static Task<> one(Fixture& to, std::vector<int>& done, int number) {
                co_await to.log->room();
                const auto staged = to.log->stage(text_kind, std::string(400, 'x')).value();
                done.push_back(number);
                CHECK(co_await to.log->wait(staged));
            }
        };
        for (int n = 0; n < 20; ++n) scope.spawn("publisher", Publish::one(fixture, order, n));
        co_await scope.idle();
        CHECK(order.size() == 20);
        CHECK(std::ranges::is_sorted(order));
        CHECK(fixture.reader.durable == fixture.log->durable_end());
        co_await fixture.close();
    });
}

TEST_CASE("the log works on the real disk with a thread of its own") {
    const sim::TemporaryFolder folder;
    const auto files = make_system_files();
    Fixture fixture(*files);
    fixture.folder = folder.path();
    fixture.worker = make_thread_worker("log");
    const auto texts = numbers(100);
    for (int opening = 0; opening < 2; ++opening)
        run([&](Executor executor) -> Task<> {
            REQUIRE(co_await fixture.open(executor));
            CHECK(fixture.reader.recovered == (opening == 0 ? Texts{} : texts));
            if (opening == 0)
                for (const auto& text : texts) REQUIRE(co_await fixture.append(text));
            CHECK(co_await fixture.read_all(500) == texts);
            co_await fixture.close();
        });
}
