#include "base/backoff.hpp"
#include "base/child_process.hpp"
#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/event.hpp"
#include "base/loop.hpp"
#include "base/side_by_side.hpp"
#include "base/task_scope.hpp"
#include "base/timeout.hpp"
#include "base/worker.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <stdexcept>
#include <thread>

using namespace skerry;
using namespace std::chrono_literals;

namespace {
Task<> wait_for_ever(Event& event, bool& unwound) {
    struct Note {
        bool& flag;
        ~Note() { flag = true; }
    } note{unwound};
    co_await event.wait();
}

Task<Result<int>> sleepy(Clock& clock, Duration duration) {
    co_await clock.sleep(duration);
    co_return 7;
}

// Says when it begins, and ends when it may.
Task<> one_of_many(int number, std::vector<int>& begun, Event& may_end, int& ended) {
    begun.push_back(number);
    if (number == 2) throw std::runtime_error("for the test");
    co_await may_end.wait();
    ++ended;
}

Task<> till_cancelled(Event& begun, Event& never, int& unwound) {
    struct Note {
        int& count;
        ~Note() { ++count; }
    } note{unwound};
    begun.set();
    co_await never.wait();
}
}  // namespace

TEST_CASE("side by side means at most so many at a time, in their order, and one that throws takes no place away") {
    Loop loop;
    std::vector<int> begun;
    int ended = 0;
    const auto main = [&](Event&) -> Task<int> {
        Event may_end(loop.executor());
        TaskScope scope(loop.executor());
        std::vector<Task<>> tasks;
        for (int number = 1; number <= 6; ++number) tasks.push_back(one_of_many(number, begun, may_end, ended));
        scope.spawn("all", run_side_by_side(std::move(tasks), 3));
        for (int turn = 0; turn < 50; ++turn) co_await next_turn();
        CHECK(begun == std::vector{1, 2, 3, 4});
        CHECK(ended == 0);
        may_end.set();
        co_await scope.idle();
        CHECK(begun == std::vector{1, 2, 3, 4, 5, 6});
        CHECK(ended == 5);
        co_await run_side_by_side({}, 0);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("side by side, a cancelled caller ends when its tasks have ended") {
    Loop loop;
    int unwound = 0;
    const auto main = [&](Event&) -> Task<int> {
        Event begun(loop.executor());
        Event never(loop.executor());
        TaskScope scope(loop.executor());
        std::vector<Task<>> tasks;
        for (int n = 0; n < 3; ++n) tasks.push_back(till_cancelled(begun, never, unwound));
        scope.spawn("all", run_side_by_side(std::move(tasks), 1));
        co_await begun.wait();
        co_await scope.close();
        CHECK(unwound == 1);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("closing a scope unwinds its tasks and waits for them") {
    Loop loop;
    bool unwound = false;
    const auto main = [&](Event&) -> Task<int> {
        Event never(loop.executor());
        TaskScope scope(loop.executor());
        scope.spawn("waiter", wait_for_ever(never, unwound));
        SystemClock clock;
        co_await clock.sleep(1ms);
        CHECK_FALSE(unwound);
        co_await scope.close();
        CHECK(unwound);
        CHECK(scope.size() == 0);
        co_return 5;
    };
    CHECK(loop.run(main) == 5);
}

TEST_CASE("a task never begins inside the call that spawns it") {
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        TaskScope scope(loop.executor());
        bool begun = false;
        const auto note = [](bool& flag) -> Task<> {
            flag = true;
            co_return;
        };
        scope.spawn("note", note(begun));
        CHECK_FALSE(begun);
        co_await scope.idle();
        CHECK(begun);

        bool begun_after_cancel = false;
        scope.spawn("cancelled", note(begun_after_cancel));
        co_await scope.close();
        CHECK_FALSE(begun_after_cancel);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("a task that throws is reported and leaves the others alone") {
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        TaskScope scope(loop.executor());
        const auto thrower = []() -> Task<> {
            throw std::runtime_error("on purpose");
            co_return;
        };
        scope.spawn("thrower", thrower());
        co_await scope.idle();
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("with_timeout returns the value, or says that it took too long") {
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        SystemClock clock;
        const auto quick = co_await with_timeout<int>(clock, 5s, sleepy(clock, 1ms));
        CHECK(quick.value() == 7);
        const auto slow = co_await with_timeout<int>(clock, 1ms, sleepy(clock, 1h));
        CHECK(slow.error().code == Errc::timeout);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

namespace {
// Work that takes its time to end, as one with a job on a worker's thread does.
struct Stubborn {
    explicit Stubborn(const Executor& executor) : told(executor), let_go(executor) {}
    Event told;
    Event let_go;
    bool ended{false};
    bool outlived{false};  // whoever waits for it has ended before it
};

Task<> hold_on(Stubborn& work) {
    Event never(co_await boost::asio::this_coro::executor);
    try {
        co_await never.wait();
    } catch (...) { work.told.set(); }
    co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
    co_await work.let_go.wait();
    work.ended = true;
}

Task<Result<>> hold_on_to_end(Stubborn& work) {
    co_await hold_on(work);
    co_return Result<>{};
}

struct Owner {  // of something that the work uses
    Stubborn& work;
    ~Owner() { work.outlived = !work.ended; }
};

Task<> limit(Clock& clock, Stubborn& work) {
    const Owner owner{work};
    (void)co_await with_timeout<void>(clock, 1ms, hold_on_to_end(work));
}

Task<> own_scope(Stubborn& work) {
    const Owner owner{work};
    TaskScope scope(co_await boost::asio::this_coro::executor);
    scope.spawn("stubborn", hold_on(work));
    co_await next_turn();
    co_await next_turn();
    co_await scope.close();
}

// Tells `owner` to stop while it waits for the end of its work.
void stop_while_it_waits(Task<> (*owner)(Clock& clock, Stubborn& work)) {
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        SystemClock clock;
        Stubborn work(loop.executor());
        TaskScope scope(loop.executor());
        scope.spawn("owner", owner(clock, work));
        co_await work.told.wait();
        co_await next_turn();
        scope.cancel();
        for (int turn = 0; turn < 20; ++turn) co_await next_turn();
        CHECK(scope.size() == 1);
        work.let_go.set();
        co_await scope.close();
        CHECK(work.ended);
        CHECK_FALSE(work.outlived);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}
}  // namespace

TEST_CASE("work over its limit has ended when with_timeout ends, also when its caller is told to stop just then") {
    stop_while_it_waits(limit);
}

TEST_CASE("who is told to stop while it closes a scope waits for the scope's tasks all the same") {
    stop_while_it_waits([](Clock&, Stubborn& work) { return own_scope(work); });
}

TEST_CASE("closing a scope forgets no cancellation of whoever closes it") {
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        Stubborn work(loop.executor());
        bool went_on = false;
        const auto close_and_go_on = [](Stubborn& its, bool& flag) -> Task<> {
            co_await own_scope(its);
            flag = true;
        };
        TaskScope scope(loop.executor());
        scope.spawn("owner", close_and_go_on(work, went_on));
        co_await work.told.wait();
        scope.cancel();
        work.let_go.set();
        co_await scope.close();
        CHECK_FALSE(went_on);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("a worker runs jobs in order on a thread of its own") {
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        const auto worker = make_thread_worker("test");
        const auto here = std::this_thread::get_id();
        const auto there = co_await worker->run([] { return std::this_thread::get_id(); });
        CHECK(there != here);
        CHECK(std::this_thread::get_id() == here);
        CHECK(co_await worker->run([] { return 42; }) == 42);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("a mailbox is bounded and hands over in order") {
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        Mailbox<int> box(loop.executor(), 2);
        CHECK(box.try_push(1));
        CHECK(box.try_push(2));
        CHECK_FALSE(box.try_push(3));
        CHECK((co_await box.pop()).value() == 1);
        CHECK((co_await box.pop()).value() == 2);
        box.close();
        CHECK((co_await box.pop()).error().code == Errc::closed);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("base64 and percent encoding round trip and refuse what is broken") {
    const std::string bytes("\x00\x01\xfe\xff text", 9);
    for (std::size_t length = 0; length <= bytes.size(); ++length) {
        const auto part = bytes.substr(0, length);
        CHECK(base64_decode(base64_encode(part)) == part);
        CHECK(hex_decode(hex_encode(part)) == part);
        CHECK(percent_decode(percent_encode(part)) == part);
    }
    CHECK(base64_encode("foob") == "Zm9vYg==");
    CHECK_FALSE(base64_decode("Zm9vYg="));
    CHECK_FALSE(base64_decode("Zm=v"));
    CHECK_FALSE(base64_decode("Zm9\x80"));
    CHECK(percent_encode("a/b $é") == "a%2Fb%20%24%C3%A9");
    CHECK_FALSE(percent_decode("%4"));
    CHECK_FALSE(percent_decode("%zz"));
}

TEST_CASE("UTF-8 is checked strictly") {
    CHECK(is_utf8("plain é €"));
    CHECK_FALSE(is_utf8("\xc0\xaf"));
    CHECK_FALSE(is_utf8("\xed\xa0\x80"));
    CHECK_FALSE(is_utf8("\xe2\x82"));
}

TEST_CASE("RFC 3339 times round trip") {
    const auto time = parse_rfc3339("2024-02-29T23:59:58.1234567+01:30");
    REQUIRE(time);
    CHECK(format_rfc3339(*time, 7) == "2024-02-29T22:29:58.1234567Z");
    CHECK(format_rfc3339(*time, 3) == "2024-02-29T22:29:58.123Z");
    CHECK(format_rfc3339(*time, 0) == "2024-02-29T22:29:58Z");
    for (const auto* bad : {"", "0001-01-01T00:00:00Z", "2024-02-30T00:00:00Z", "2024-02-29T00:00:00",
                            "2024-02-29T24:00:00Z", "2024-2-29T00:00:00Z", "2024-02-29T00:00:00.Z"})
        CHECK_FALSE_MESSAGE(parse_rfc3339(bad), bad);
}

TEST_CASE("a child process is awaited, and stopped with its whole group") {
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        SystemClock clock;
        auto quick = ChildProcess::start({.arguments = {"/bin/sh", "-c", "exit $CODE"}, .environment = {{"CODE", "7"}}},
                                         loop.executor());
        REQUIRE(quick);
        CHECK(co_await quick->wait() == 7);

        auto stubborn = ChildProcess::start({.arguments = {"/bin/sh", "-c", "sleep 60 & wait"}}, loop.executor());
        REQUIRE(stubborn);
        CHECK_FALSE(stubborn->ended());
        CHECK(co_await stubborn->stop(clock, 5s) == 128 + SIGTERM);

        auto talker = ChildProcess::start(
            {.arguments = {"/bin/sh", "-c", "echo out; sleep 0.1; echo err >&2"}, .piped = true}, loop.executor());
        REQUIRE(talker);
        std::string said;
        for (auto piece = co_await talker->read(3); !piece.empty(); piece = co_await talker->read(3)) {
            CHECK(piece.size() <= 3);
            said += piece;
        }
        CHECK(said == "out\nerr\n");

        const auto missing = ChildProcess::start({.arguments = {"/no/such/program"}}, loop.executor());
        REQUIRE_FALSE(missing);
        CHECK(missing.error().code == Errc::not_found);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}
