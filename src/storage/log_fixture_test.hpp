// For tests: a segment log of texts, with what it takes to open it again.
#pragma once

#include "base/loop.hpp"
#include "sim/disk.hpp"
#include "storage/segment_disk.hpp"
#include "storage/segment_log.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace skerry::storage {

inline constexpr std::uint8_t text_kind = 1;
inline constexpr std::uint8_t snapshot_kind = 2;
using Texts = std::vector<std::string>;

struct Reader final : SegmentLog::Owner, LogReader {
    std::pair<std::uint8_t, std::string> snapshot(LogPosition) override { return {snapshot_kind, "snapshot"}; }
    void stored(LogPosition end, Durability as) override { (as == Durability::disk ? durable : written) = end; }
    void refused(LogPosition begin, const Error&) override { refusals.push_back(begin); }

    void first(const LogRecord& record) override { firsts.emplace_back(record.payload); }
    std::optional<LogPosition> known_end(LogPosition base) override {
        const auto end = ends.find(base);
        return end == ends.end() ? std::nullopt : std::optional(end->second);
    }
    void visit(LogPosition, const LogRecord& record) override {
        if (record.kind == text_kind) recovered.emplace_back(record.payload);
    }
    void skipped(LogPosition base) override { not_read.push_back(base); }

    std::map<LogPosition, LogPosition> ends;  // of segments that need not be read
    Texts firsts;
    std::vector<LogPosition> not_read;
    Texts recovered;
    LogPosition written{0};
    LogPosition durable{0};
    std::vector<LogPosition> refusals;
};

// A log on a disk, with what it takes to open it again.
struct Fixture {
    explicit Fixture(Files& on, std::uint64_t segment_bytes = 4096) : files(on) {
        options.segment_bytes = segment_bytes;
    }

    Task<Result<>> open(Executor executor) {
        reader = Reader();
        reader.ends = ends;
        auto opened = co_await SegmentLog::open(files, folder, *worker, executor, options, reader, reader);
        if (!opened) co_return fail(opened.error());
        log = std::move(*opened);
        co_return Result<>{};
    }
    Task<> close() {
        co_await log->close();
        log.reset();
    }
    Task<Result<>> append(std::string text) {
        const auto staged = log->stage(text_kind, text);
        if (!staged) co_return fail(staged.error());
        co_return co_await log->wait(*staged);
    }
    Task<Texts> read_all(std::size_t at_most) {
        Texts texts;
        for (LogPosition at = 0; at < log->durable_end();) {
            const auto next = co_await log->read(at, at_most, [&](const LogRecord& record) {
                if (record.kind == text_kind) texts.emplace_back(record.payload);
            });
            REQUIRE(next);
            REQUIRE(*next > at);
            at = *next;
        }
        co_return texts;
    }

    Files& files;
    std::filesystem::path folder{"/log"};
    std::unique_ptr<Worker> worker = make_inline_worker();
    SegmentLogOptions options;
    std::map<LogPosition, LogPosition> ends;
    Reader reader;
    std::unique_ptr<SegmentLog> log;
};

inline int run(const std::function<Task<>(Executor)>& body) {
    Loop loop;
    return loop.run([&](Event&) -> Task<int> {
        co_await body(loop.executor());
        co_return 0;
    });
}

inline Texts numbers(int count, std::size_t size = 100) {
    Texts texts;
    for (int n = 0; n < count; ++n) {
        auto text = std::to_string(n);
        texts.push_back(text + std::string(size - text.size(), '.'));
    }
    return texts;
}

inline sim::Disk disk_with_folder(std::uint64_t seed = 1) {
    sim::Disk disk(seed);
    REQUIRE(disk.make_folders("/log", 0700));
    return disk;
}

}  // namespace skerry::storage
