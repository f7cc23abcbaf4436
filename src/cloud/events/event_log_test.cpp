#include "cloud/events/event_log.hpp"

#include "base/loop.hpp"
#include "cloud/registry/stores_test.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <boost/json/serialize.hpp>

#include <fstream>

using namespace skerry;
using namespace skerry::cloud;

namespace {
Telemetry telemetry(const std::string& source, std::string body) {
    return {.source = id(source), .generation_id = "1", .properties = {}, .system = {}, .body = std::move(body)};
}

// A log on the real disk, that can be closed and opened again.
struct TestLog {
    explicit TestLog(Executor on, EventLogLimits with = {}) : executor(std::move(on)), limits(with) { open(); }

    void open() { log = EventLog::open(*files, folder / "events", limits, clock, *writer, *reader, executor).value(); }
    Task<> reopen() {
        co_await log->close();
        log.reset();
        open();
    }
    Task<std::vector<std::string>> bodies(std::uint64_t from = 1) {
        EventLog::Reader reading(*log, from);
        std::vector<std::string> found;
        for (;;) {
            const auto items = (co_await reading.read()).value();
            if (items.empty()) co_return found;
            for (const auto& item : items) found.emplace_back(object(item.json).at("body").as_string());
        }
    }
    std::vector<std::string> names() { return files->list(folder / "events").value(); }

    Executor executor;
    EventLogLimits limits;
    sim::TemporaryFolder folder;
    StillClock clock;
    std::unique_ptr<storage::Files> files = storage::make_system_files();
    std::unique_ptr<Worker> writer = make_thread_worker("writer");
    std::unique_ptr<Worker> reader = make_inline_worker();
    std::unique_ptr<EventLog> log;
};

Task<> append_many(TestLog& test, int from, int to) {
    for (int i = from; i < to; ++i) {
        const auto stored = co_await test.log->append_durably(telemetry("d1", std::to_string(i)));
        CHECK(stored);
    }
}
}  // namespace

TEST_CASE("events come back in their order, also after the log was closed and opened again") {
    Loop loop;
    CHECK(loop.run([&](Event&) -> Task<int> {
        TestLog test(loop.executor());
        co_await append_many(test, 0, 3);
        CHECK(co_await test.bodies() == std::vector<std::string>{"0", "1", "2"});
        co_await test.reopen();
        co_await append_many(test, 3, 5);
        CHECK(co_await test.bodies() == std::vector<std::string>{"0", "1", "2", "3", "4"});
        CHECK(co_await test.bodies(5) == std::vector<std::string>{"4"});
        co_await test.log->close();
        co_return 0;
    }) == 0);
}

TEST_CASE("events that arrive together share a write, and all tickets end well") {
    Loop loop;
    CHECK(loop.run([&](Event&) -> Task<int> {
        TestLog test(loop.executor());
        std::vector<EventLog::Ticket> tickets;
        for (int i = 0; i < 100; ++i)
            tickets.push_back((co_await test.log->append(telemetry("d1", std::to_string(i)))).value());
        CHECK_FALSE(tickets.back().done());
        for (const auto& ticket : tickets) CHECK(co_await test.log->wait(ticket));
        CHECK(test.log->last_durable() == 100);
        CHECK((co_await test.bodies()).size() == 100);
        co_await test.log->close();
        CHECK((co_await test.log->append(telemetry("d1", "late"))).error().code == Errc::closed);
        co_return 0;
    }) == 0);
}

TEST_CASE("a torn last line is cut off, a damaged line is skipped, the rest is there") {
    Loop loop;
    CHECK(loop.run([&](Event&) -> Task<int> {
        TestLog test(loop.executor());
        co_await append_many(test, 0, 3);
        co_await test.log->close();
        const auto path = test.folder / ("events/" + test.names().front());
        {
            std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
            std::string first;
            std::getline(file, first);
            const auto second = file.tellg();
            file.seekp(second + std::streamoff(20));
            file.put('#');
            file.seekp(0, std::ios::end);
            file << "0123abcd {\"sequence\":4,\"enq";
        }
        test.log.reset();
        test.open();
        CHECK(co_await test.bodies() == std::vector<std::string>{"0", "2"});
        co_await append_many(test, 3, 4);
        CHECK(test.log->last_durable() == 4);
        CHECK(co_await test.bodies() == std::vector<std::string>{"0", "2", "3"});
        co_await test.log->close();
        co_return 0;
    }) == 0);
}

TEST_CASE("the log keeps its budget: the oldest segments go, readers go on with what is left") {
    Loop loop;
    CHECK(loop.run([&](Event&) -> Task<int> {
        TestLog test(loop.executor(), {.bytes = 8 * 1024, .segment_bytes = 2 * 1024});
        EventLog::Reader from_start(*test.log, 1);
        co_await append_many(test, 0, 60);
        CHECK(test.names().size() <= 4);
        const auto left = co_await test.bodies();
        CHECK(left.size() < 60);
        CHECK(left.back() == "59");
        std::size_t seen = 0;
        for (;;) {
            const auto items = (co_await from_start.read()).value();
            if (items.empty()) break;
            seen += items.size();
        }
        CHECK(seen == left.size());
        co_await test.reopen();
        CHECK(co_await test.bodies() == left);
        co_await test.log->close();
        co_return 0;
    }) == 0);
}

TEST_CASE("segments older than the age go when something new arrives") {
    Loop loop;
    CHECK(loop.run([&](Event&) -> Task<int> {
        TestLog test(loop.executor(), {.age = std::chrono::hours(1), .segment_bytes = 1024});
        co_await append_many(test, 0, 5);
        test.clock.now += std::chrono::hours(2);
        co_await append_many(test, 5, 10);
        const auto left = co_await test.bodies();
        CHECK(left.front() != "0");
        CHECK(left.back() == "9");
        co_await test.log->close();
        co_return 0;
    }) == 0);
}

namespace {
Task<> follow(EventLog& log, std::vector<std::uint64_t>& seen, Event& three) {
    EventLog::Reader reader(log, 3);
    while (co_await reader.wait()) {
        for (const auto& item : (co_await reader.read()).value()) seen.push_back(item.sequence);
        if (seen.size() == 3) three.set();
    }
}
}  // namespace

TEST_CASE("a follower sees new events only, as they become durable, and ends with the log") {
    Loop loop;
    CHECK(loop.run([&](Event&) -> Task<int> {
        TestLog test(loop.executor());
        co_await append_many(test, 0, 2);
        std::vector<std::uint64_t> seen;
        Event three(loop.executor());
        TaskScope scope(loop.executor());
        scope.spawn("follower", follow(*test.log, seen, three));
        co_await append_many(test, 2, 5);
        co_await three.wait();
        CHECK(seen == std::vector<std::uint64_t>{3, 4, 5});
        co_await test.log->close();
        co_await scope.idle();
        co_return 0;
    }) == 0);
}

namespace {
// A disk that refuses to sync while `broken`.
class BrokenFiles final : public storage::Files {
public:
    class BrokenFile final : public storage::File {
    public:
        BrokenFile(std::unique_ptr<storage::File> file, bool& broken) : file_(std::move(file)), broken_(broken) {}
        Result<std::size_t> read_at(std::uint64_t offset, std::size_t count, std::string& out) override {
            return file_->read_at(offset, count, out);
        }
        Result<> write_at(std::uint64_t offset, std::string_view bytes) override {
            return file_->write_at(offset, bytes);
        }
        Result<> sync_data() override {
            if (broken_) return fail(Errc::io, "the disk is broken");
            return file_->sync_data();
        }
        Result<> allocate(std::uint64_t size) override { return file_->allocate(size); }
        Result<> truncate(std::uint64_t size) override { return file_->truncate(size); }
        Result<std::uint64_t> size() override { return file_->size(); }

    private:
        std::unique_ptr<storage::File> file_;
        bool& broken_;
    };

    Result<std::unique_ptr<storage::File>> open(const std::filesystem::path& path, Mode mode,
                                                unsigned permissions) override {
        auto file = files_->open(path, mode, permissions);
        if (!file) return file;
        return std::make_unique<BrokenFile>(std::move(*file), broken);
    }
    Result<std::vector<std::string>> list(const std::filesystem::path& folder) override { return files_->list(folder); }
    Result<> make_folders(const std::filesystem::path& folder, unsigned mode) override {
        return files_->make_folders(folder, mode);
    }
    Result<> remove(const std::filesystem::path& path) override { return files_->remove(path); }
    Result<> rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
        return files_->rename(from, to);
    }
    Result<> sync_folder(const std::filesystem::path& folder) override { return files_->sync_folder(folder); }
    bool exists(const std::filesystem::path& path) override { return files_->exists(path); }
    Result<storage::DiskSpace> space(const std::filesystem::path& folder) override { return files_->space(folder); }

    bool broken{false};

private:
    std::unique_ptr<storage::Files> files_ = storage::make_system_files();
};
}  // namespace

TEST_CASE("what could not be synced is not acknowledged; the log recovers with the disk and leaves no litter") {
    Loop loop;
    CHECK(loop.run([&](Event&) -> Task<int> {
        TestLog test(loop.executor());
        co_await test.log->close();
        auto broken = std::make_unique<BrokenFiles>();
        auto& disk = *broken;
        test.files = std::move(broken);
        test.log.reset();
        test.open();
        co_await append_many(test, 0, 2);
        disk.broken = true;
        for (int i = 0; i < 5; ++i) CHECK_FALSE(co_await test.log->append_durably(telemetry("d1", "lost")));
        disk.broken = false;
        co_await append_many(test, 2, 4);
        CHECK(co_await test.bodies() == std::vector<std::string>{"0", "1", "2", "3"});
        CHECK(test.names().size() == 2);
        co_await test.reopen();
        CHECK(co_await test.bodies() == std::vector<std::string>{"0", "1", "2", "3"});
        co_await test.log->close();
        co_return 0;
    }) == 0);
}

TEST_CASE("an event's JSON has Event Hubs' names, and its body as text or base64") {
    auto event = telemetry("d1/m1", "{\"t\":1}");
    event.auth_scope = "module";
    event.properties = {{"level", "high"}, {"bare", std::nullopt}};
    event.system = {{"messageId", "m-1"}, {"cid", "c"}, {"contentType", "application/json"}, {"outputName", "out"}};
    const auto json = event_json(event, 7, StillClock().wall());
    CHECK(json.at("sequence") == 7);
    CHECK(json.at("deviceId") == "d1");
    CHECK(json.at("moduleId") == "m1");
    CHECK(json.at("body") == "{\"t\":1}");
    CHECK(json.at("properties") == object(R"({"level":"high","bare":null})"));
    const auto& system = json.at("systemProperties");
    CHECK(system.at("message-id") == "m-1");
    CHECK(system.at("correlation-id") == "c");
    CHECK(system.at("content-type") == "application/json");
    CHECK(system.at("iothub-connection-module-id") == "m1");
    CHECK(system.at("iothub-message-source") == "Telemetry");
    event.body = "\xff\xfe";
    CHECK(event_json(event, 8, {}).at("bodyBase64") == "//4=");

    auto line = event_line(json);
    line.pop_back();
    const auto text = checked_text(line);
    REQUIRE(text);
    CHECK(head_of(*text).value().sequence == 7);
    line[line.size() / 2] = static_cast<char>(line[line.size() / 2] ^ 1);
    CHECK_FALSE(checked_text(line));
}
