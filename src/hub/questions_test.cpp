#include "hub/questions.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <vector>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;

namespace {
class HandClock final : public Clock {
public:
    [[nodiscard]] WallTime wall() const override { return {}; }
    [[nodiscard]] SteadyTime steady() const override { return now; }
    [[nodiscard]] Task<> sleep_until(SteadyTime) override { co_return; }
    SteadyTime now{};
};
model::Identity id(int number) { return model::Identity::device(fmt::format("d{}", number)).value(); }
}  // namespace

TEST_CASE("an identity is asked about once per delay, unless the cloud says that something changed") {
    HandClock clock;
    Questions questions(clock, 1min);
    CHECK(questions.ask(id(1)));
    CHECK_FALSE(questions.ask(id(1)));
    CHECK(questions.ask(id(2)));
    CHECK(questions.ask_at_once(id(1)));
    clock.now += 1min;
    CHECK(questions.ask(id(1)));
    questions.forget(id(1));
    CHECK(questions.ask(id(1)));
}

TEST_CASE("what got no answer may be asked when the way to the cloud is open again, and not before") {
    HandClock clock;
    Questions questions(clock, 1min);
    CHECK(questions.ask(id(1)));
    CHECK(questions.ask(id(2)));
    questions.unanswered(id(1));
    CHECK_FALSE(questions.ask(id(1)));
    questions.reachable_again();
    CHECK(questions.ask(id(1)));
    CHECK_FALSE(questions.ask(id(2)));
}

TEST_CASE("eight questions run at a time, and a thousand ids are remembered") {
    HandClock clock;
    Questions questions(clock, 1min);
    {
        std::vector<Questions::Permit> open;
        for (int i = 0; i < 8; ++i) open.push_back(questions.ask(id(i)).value());
        CHECK_FALSE(questions.ask(id(8)));
        CHECK_FALSE(questions.ask_at_once(id(0)));
    }
    for (int i = 8; i < 1'000; ++i) CHECK(questions.ask(id(i)));
    CHECK_FALSE(questions.ask(id(1'000)));
    clock.now += 1min;
    CHECK(questions.ask(id(1'000)));
}
