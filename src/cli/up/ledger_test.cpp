#include "cli/up/ledger.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <fstream>

using namespace skerry::cli;

TEST_CASE("a message that the filter passed and the cloud never saw is lost") {
    Accounts accounts;
    for (const auto* id : {"a", "b", "c", "d"}) accounts.sensor_line(std::string("sent ") + id);
    accounts.filter_line("passed a");
    accounts.filter_line("passed b");
    accounts.filter_line("dropped c");
    accounts.received("a");
    accounts.received("a");
    const auto totals = accounts.totals();
    CHECK(totals.sent == 4);
    CHECK(totals.passed == 2);
    CHECK(totals.received == 1);
    CHECK(totals.duplicates == 1);
    CHECK(totals.lost == 2);  // b never arrived, and nobody saw d
}

TEST_CASE("a ledger is read as it grows, whole lines only") {
    const auto path = std::filesystem::temp_directory_path() / ("skerry-ledger-" + std::to_string(::getpid()));
    TailedFile file(path);
    CHECK(file.new_lines().empty());
    std::ofstream out(path);
    out << "sent 1\nsent " << std::flush;
    CHECK(file.new_lines() == std::vector<std::string>{"sent 1"});
    out << "2\n" << std::flush;
    CHECK(file.new_lines() == std::vector<std::string>{"sent 2"});
    CHECK(file.new_lines().empty());
    std::filesystem::remove(path);
}
