#include "engine/log_file.hpp"

#include "engine/module_logs.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

using namespace skerry;
using namespace skerry::engine;

namespace {
// The writer works in the current folder, as the shim does.
struct InFolder {
    sim::TemporaryFolder own;
    std::filesystem::path path{own.path()};
    std::filesystem::path before{std::filesystem::current_path()};
    InFolder() { std::filesystem::current_path(path); }
    ~InFolder() { std::filesystem::current_path(before); }
};

std::vector<LogRecord> all_of(LogReader& reader) {
    std::vector<LogRecord> records;
    for (auto record = reader.next(); record && *record; record = reader.next()) records.push_back(**record);
    return records;
}
}  // namespace

TEST_CASE("output becomes records per line, with stream and time") {
    const InFolder folder;
    const auto files = storage::make_system_files();
    LogWriter writer(1 << 20);
    writer.append(OutputStream::out, "one\ntw", 10);
    writer.append(OutputStream::err, "bad\n", 20);
    writer.append(OutputStream::out, "o\nrest", 30);
    LogReader reader(*files, folder.path);
    auto records = all_of(reader);
    REQUIRE(records.size() == 3);
    CHECK(records[0].text == "one\n");
    CHECK(records[0].time_ns == 10);
    CHECK(records[1].stream == OutputStream::err);
    CHECK(records[2].text == "two\n");
    writer.finish(40);
    records = all_of(reader);
    REQUIRE(records.size() == 1);
    CHECK(records[0].text == "rest");
}

TEST_CASE("log files rotate within their bound, and a reader follows across") {
    const InFolder folder;
    const auto files = storage::make_system_files();
    constexpr std::uint64_t limit = 4096;
    LogWriter writer(limit);
    LogReader follower(*files, folder.path);
    int followed = 0;
    for (int i = 0; i < 1000; ++i) {
        writer.append(OutputStream::out, "line " + std::to_string(i) + "\n", i);
        for (const auto& record : all_of(follower)) CHECK(record.time_ns == followed++);
    }
    CHECK(followed == 1000);
    CHECK(std::filesystem::file_size("log.0") <= limit);
    CHECK(std::filesystem::file_size("log.1") <= limit);

    LogReader late(*files, folder.path);
    const auto kept = all_of(late);
    REQUIRE(!kept.empty());
    CHECK(kept.back().text == "line 999\n");
    for (std::size_t i = 1; i < kept.size(); ++i) CHECK(kept[i].time_ns == kept[i - 1].time_ns + 1);
}

TEST_CASE("a torn last record is cut off when the log goes on") {
    const InFolder folder;
    const auto files = storage::make_system_files();
    {
        LogWriter writer(1 << 20);
        writer.append(OutputStream::out, "whole\n", 1);
    }
    std::ofstream("log.0", std::ios::app) << std::string("\x01torn", 5);
    LogWriter writer(1 << 20);
    writer.append(OutputStream::out, "next\n", 2);
    LogReader reader(*files, folder.path);
    const auto records = all_of(reader);
    REQUIRE(records.size() == 2);
    CHECK(records[1].text == "next\n");
}

TEST_CASE("a line longer than the limit becomes several records") {
    const InFolder folder;
    const auto files = storage::make_system_files();
    LogWriter writer(1 << 20);
    writer.append(OutputStream::out, std::string(longest_line + 5, 'x') + "\n", 1);
    LogReader reader(*files, folder.path);
    const auto records = all_of(reader);
    REQUIRE(records.size() == 2);
    CHECK(records[0].text.size() == longest_line);
    CHECK(records[1].text == "xxxxx\n");
}

TEST_CASE("frames have the head that container engines write") {
    std::string out;
    append_frame(out, {OutputStream::err, 1'706'695'200'123'456'789, "hi\n"}, false);
    CHECK(out == std::string("\x02\0\0\0\0\0\0\x03hi\n", 11));
    out.clear();
    append_frame(out, {OutputStream::out, 1'706'695'200'123'456'789, "hi\n"}, true);
    CHECK(out.substr(8) == "2024-01-31T10:00:00.123456789Z hi\n");
}
