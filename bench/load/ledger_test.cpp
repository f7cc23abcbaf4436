#include "load/ledger.hpp"
#include "load/stamp.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace skerry::load;
using Verdict = Ledger::Verdict;

TEST_CASE("Messages in order leave nothing to complain about, each publisher on its own") {
    Ledger ledger;
    for (std::uint64_t i = 0; i < 100; ++i)
        for (std::uint32_t publisher = 0; publisher < 3; ++publisher)
            CHECK(ledger.note(publisher, i) == Verdict::in_order);
    CHECK(ledger.distinct() == 300);
    CHECK(ledger.duplicates() == 0);
    CHECK(ledger.out_of_order() == 0);
    for (std::uint32_t publisher = 0; publisher < 3; ++publisher) CHECK(ledger.missing(publisher, 100) == 0);
}

TEST_CASE(
    "A message that never comes is missing; one that comes late is out of order; one that comes again a duplicate") {
    Ledger ledger;
    CHECK(ledger.note(0, 0) == Verdict::in_order);
    CHECK(ledger.note(0, 5) == Verdict::ahead);
    CHECK(ledger.missing(0, 6) == 4);
    CHECK(ledger.note(0, 3) == Verdict::late);
    CHECK(ledger.note(0, 3) == Verdict::duplicate);
    CHECK(ledger.note(0, 5) == Verdict::duplicate);
    CHECK(ledger.note(0, 0) == Verdict::duplicate);
    CHECK(ledger.missing(0, 6) == 3);
    CHECK(ledger.missing(0, 3) == 2);
    CHECK(ledger.note(0, 1) == Verdict::late);
    CHECK(ledger.note(0, 2) == Verdict::late);
    CHECK(ledger.note(0, 4) == Verdict::late);
    CHECK(ledger.missing(0, 6) == 0);
    CHECK(ledger.missing(0, 8) == 2);
    CHECK(ledger.distinct() == 6);
    CHECK(ledger.duplicates() == 3);
    CHECK(ledger.out_of_order() == 4);
}

TEST_CASE("Of a publisher that was never heard of everything is missing; a wild number is foreign") {
    Ledger ledger;
    CHECK(ledger.missing(7, 12) == 12);
    CHECK(ledger.note(1'000'000, 0) == Verdict::foreign);
    CHECK(ledger.foreign() == 1);
    CHECK(ledger.distinct() == 0);
}

TEST_CASE("A stamp survives the way through a payload, and other payloads have none") {
    std::string payload(64, 'x');
    CHECK_FALSE(read_stamp(payload));
    CHECK_FALSE(read_stamp("short"));
    write_stamp({.publisher = 3, .sequence = 9, .intended = -5}, payload.data());
    const auto stamp = read_stamp(payload);
    REQUIRE(stamp);
    CHECK(stamp->publisher == 3);
    CHECK(stamp->sequence == 9);
    CHECK(stamp->intended == -5);
}
