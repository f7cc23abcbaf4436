#include "hub/slots.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>

using skerry::hub::Slots;

TEST_CASE("Slots hold what a map would hold, whatever the order of taking") {
    std::mt19937 random(3);
    Slots<int> slots;
    std::map<std::uint64_t, int> expected;
    for (int step = 0; step < 20'000; ++step) {
        if (expected.empty() || (expected.size() < 300 && random() % 2 == 0)) {
            const auto [at, is_new] = expected.emplace(slots.put(step), step);
            REQUIRE(is_new);
        } else {
            const auto victim = std::next(expected.begin(), static_cast<std::ptrdiff_t>(random() % expected.size()));
            CHECK(slots.take(victim->first) == victim->second);
            CHECK_FALSE(slots.take(victim->first));
            expected.erase(victim);
        }
        REQUIRE(slots.size() == expected.size());
    }
    for (const auto& [key, value] : expected) CHECK(slots.take(key) == value);
    CHECK(slots.size() == 0);
}

TEST_CASE("One slow value among many quick ones costs no more slots") {
    Slots<int> slots;
    const auto slow = slots.put(42);
    for (int i = 0; i < 100'000; ++i) {
        const auto key = slots.put(i);
        REQUIRE(Slots<int>::number_of(key) < 16);
        REQUIRE(slots.take(key) == i);
    }
    CHECK(slots.take(slow) == 42);
}

TEST_CASE("A key leads nowhere once its slot is used again, and a slot's number finds what is there now") {
    Slots<int> slots;
    const auto first = slots.put(1);
    CHECK(slots.take(first) == 1);
    std::uint64_t again = 0;
    do again = slots.put(2);
    while (Slots<int>::number_of(again) != Slots<int>::number_of(first));
    CHECK_FALSE(slots.take(first));
    CHECK(slots.take_number(Slots<int>::number_of(first)) == 2);
    CHECK_FALSE(slots.take_number(Slots<int>::number_of(first)));
    CHECK_FALSE(slots.take_number(1'000'000));
}

TEST_CASE("What is taken or erased is let go, and its slot is free again") {
    Slots<std::shared_ptr<int>> slots;
    const auto value = std::make_shared<int>(1);
    for (int i = 0; i < 20; ++i) (void)slots.put(value);
    CHECK(value.use_count() == 21);
    int seen = 0;
    slots.erase_if([&seen](const auto&) { return ++seen % 2 == 0; });
    CHECK(value.use_count() == 11);
    for (int i = 0; i < 10; ++i) (void)slots.put(value);
    slots.erase_if([](const auto&) { return true; });
    CHECK(value.use_count() == 1);
    CHECK(slots.size() == 0);
}
