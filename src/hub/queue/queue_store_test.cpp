#include "hub/queue/queue_store.hpp"

#include "hub/queue/life_test.hpp"
#include "sim/temporary_folder.hpp"

#include <algorithm>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;

namespace {
using Bodies = std::vector<std::string>;
constexpr std::string_view input = "dev/mod/in";

std::vector<QueueTarget> to(std::string_view endpoint, std::uint32_t priority = default_priority,
                            std::optional<std::chrono::seconds> time_to_live = std::nullopt) {
    return {{std::string(endpoint), priority, time_to_live}};
}

Bodies numbers(int count, std::size_t size = 0) {
    Bodies all;
    for (int n = 0; n < count; ++n) all.push_back(std::to_string(n) + std::string(size, '.'));
    return all;
}

Bodies bodies(const std::vector<Delivery>& deliveries) {
    Bodies all;
    for (const auto& delivery : deliveries) all.push_back(delivery.message->body);
    return all;
}

void open(Life& life) {
    const auto opened = life.open();
    REQUIRE_MESSAGE(opened, opened.error().text);
}

QueueLimits small_segments() {
    QueueLimits limits;
    limits.segment_bytes = 4096;
    return limits;
}
}  // namespace

TEST_CASE("messages come in order to each endpoint, the highest priority first, from one write for all") {
    sim::Disk disk(1);
    Life life(disk);
    open(life);
    REQUIRE(life.publish("low", to(input, 7)));
    const auto before = disk.operations();
    REQUIRE(life.publish("both",
                         {{"iothub", default_priority, {}}, {std::string(input), 7, {}}, {"dev/mod/other", 0, {}}}));
    CHECK(disk.operations() - before == 2);  // a write and a sync
    REQUIRE(life.publish("high", to(input, 3)));
    CHECK(life.store->endpoint(input).length() == 3);
    CHECK(bodies(life.take(input)) == Bodies{"high", "low", "both"});
    CHECK(bodies(life.take("iothub")) == Bodies{"both"});
    CHECK(life.take("dev/mod/other").front().priority == 0);
    CHECK(life.take(input).empty());
    CHECK(life.store->status().size() == 4);
    life.close();
}

TEST_CASE("a message comes back after a restart as it was, and not again once it was acknowledged") {
    sim::Disk disk(1);
    auto message = std::make_shared<model::Message>();
    message->body = std::string("\0\xff", 2);
    message->system = {{"edgeMessageId", "id"}, {"messageType", std::nullopt}, {"custom", "x"}};
    message->properties = {{"a", ""}, {"b", std::nullopt}};
    {
        Life life(disk);
        open(life);
        REQUIRE(life.world.run(life.store->append(message, to("iothub"))));
    }
    for (int n = 0; n < 2; ++n) {
        Life life(disk);
        open(life);
        CHECK(life.store->endpoint("iothub").length() == 1);
        const auto taken = life.take("iothub");
        REQUIRE(taken.size() == 1);
        CHECK(taken[0].message->body == message->body);
        CHECK(taken[0].message->system == message->system);
        CHECK(taken[0].message->properties == message->properties);
        if (n == 1) {
            life.store->endpoint("iothub").acknowledge(taken[0]);
            life.world.run_for(100ms);
        }
    }
    Life life(disk);
    open(life);
    CHECK(life.take("iothub").empty());
    CHECK(life.store->endpoint("iothub").length() == 0);
    life.close();
}

TEST_CASE("acknowledgements in any order survive a restart") {
    sim::Disk disk(1);
    {
        Life life(disk, small_segments());
        open(life);
        for (const auto& body : numbers(100, 100)) REQUIRE(life.publish(body, to(input)));
        auto& queue = life.store->endpoint(input);
        const auto taken = life.take(input, 50);
        for (const std::size_t n : {49, 3, 20, 4, 48}) queue.acknowledge(taken.at(n));
        queue.acknowledge(taken.at(3));
        CHECK(queue.length() == 95);
        life.close();
    }
    Life life(disk, small_segments());
    open(life);
    CHECK(life.store->endpoint(input).length() == 95);
    auto expected = numbers(100, 100);
    for (const int n : {49, 48, 20, 4, 3}) expected.erase(expected.begin() + n);
    CHECK(life.drain(input) == expected);
    life.close();
}

TEST_CASE("what a consumer leaves behind is due again at its place") {
    sim::Disk disk(1);
    Life life(disk);
    open(life);
    for (const auto& body : numbers(6)) REQUIRE(life.publish(body, to(input)));
    auto& queue = life.store->endpoint(input);
    const auto taken = life.take(input, 4);
    queue.acknowledge(taken[1]);
    queue.give_back(taken[2]);
    CHECK(bodies(life.take(input, 1)) == Bodies{"2"});
    queue.return_all();
    CHECK(bodies(life.take(input)) == Bodies{"0", "2", "3", "4", "5"});
    queue.acknowledge(taken[0]);  // late, from before it came back
    queue.return_all();
    CHECK(bodies(life.take(input)) == Bodies{"2", "3", "4", "5"});
    life.close();
}

TEST_CASE("a backlog much larger than the cache is read back in order, also while more comes") {
    sim::Disk disk(1);
    auto limits = small_segments();
    limits.segment_bytes = 64 * 1024;
    limits.cached = 16 * 1024;
    auto expected = numbers(1200, 300);
    {
        Life life(disk, limits);
        open(life);
        for (const auto& body : expected) REQUIRE(life.publish(body, to(input)));
        Bodies got;
        for (int n = 0; n < 100; ++n) {
            for (const auto& delivery : life.take(input, 3)) {
                got.push_back(delivery.message->body);
                life.store->endpoint(input).acknowledge(delivery);
            }
            REQUIRE(life.publish("more" + std::to_string(n), to(input)));
            expected.push_back("more" + std::to_string(n));
        }
        CHECK(got == Bodies(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(got.size())));
        expected.erase(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(got.size()));
        life.close();
    }
    Life life(disk, limits);
    open(life);
    CHECK(life.store->endpoint(input).length() == expected.size());
    CHECK(life.drain(input) == expected);
    CHECK(life.store->endpoint(input).length() == 0);
    life.close();
}

TEST_CASE("the disk's space comes back when every queue is done, not before") {
    sim::Disk disk(1);
    Life life(disk, small_segments());
    open(life);
    for (const auto& body : numbers(100, 200))
        REQUIRE(life.publish(body, {{"iothub", default_priority, {}}, {std::string(input), default_priority, {}}}));
    const auto full = life.store->bytes_on_disk();
    CHECK(full > 20'000);
    life.drain(input);
    life.world.run_for(1s);
    CHECK(life.store->bytes_on_disk() >= full);
    life.drain("iothub");
    life.world.run_for(1s);
    CHECK(life.store->bytes_on_disk() <= 2 * 4096);
    life.close();
}

TEST_CASE("a message expires by its age, whatever the wall clock does, and its space comes back unread") {
    sim::Disk disk(1);
    disk.put("/proc/sys/kernel/random/boot_id", "00000000-0000-0000-0000-000000000001\n");
    {
        Life life(disk, small_segments());
        open(life);
        for (const auto& body : numbers(100, 200)) REQUIRE(life.publish(body, to(input, 1, 60s)));
        REQUIRE(life.publish("for ever", to(input)));
        REQUIRE(life.publish("at once", to(input, 1, 0s)));
        life.world.clock().jump_wall(24h);
        CHECK(life.take(input, 1).size() == 1);
        life.store->endpoint(input).return_all();
        life.world.clock().jump_wall(-48h);
        life.world.run_for(100s);
        CHECK(life.store->endpoint(input).length() == 1);
        CHECK(life.store->bytes_on_disk() <= 3 * 4096);
        CHECK(life.store->status().front().expired == 101);
        CHECK(bodies(life.take(input)) == Bodies{"for ever"});
        life.store->endpoint(input).return_all();
        REQUIRE(life.publish("young", to(input, 1, 60s)));
        life.close();
    }
    SUBCASE("a restart on the same boot makes it no older") {
        Life life(disk, small_segments());
        life.world.clock().advance(110s);  // virtual time begins anew: 10 s after it came
        open(life);
        CHECK(life.drain(input) == Bodies{"young", "for ever"});
        life.close();
    }
    SUBCASE("after a reboot the wall clock tells") {
        disk.put("/proc/sys/kernel/random/boot_id", "00000000-0000-0000-0000-000000000002\n");
        Life life(disk, small_segments());
        life.world.clock().jump_wall(-24h + 100s + 61s);
        open(life);
        CHECK(bodies(life.take(input)) == Bodies{"for ever"});
        life.close();
    }
}

TEST_CASE("a budget that is used up refuses messages, and takes them again when there is room") {
    sim::Disk disk(1);
    QueueLimits limits;
    limits.bytes_on_disk = 64 * 1024;
    Life life(disk, limits);
    open(life);
    int stored = 0;
    Result<> outcome;
    while ((outcome = life.publish(std::string(1000, 'x'), to(input)))) ++stored;
    CHECK(outcome.error().code == Errc::full);
    CHECK(stored >= 40);
    CHECK(life.store->bytes_on_disk() <= 64 * 1024);
    CHECK(life.store->endpoint(input).length() == static_cast<std::uint64_t>(stored));
    CHECK(life.drain(input).size() == static_cast<std::size_t>(stored));
    life.world.run_for(1s);
    CHECK(life.publish("again", to(input)));
    CHECK(life.drain(input) == Bodies{"again"});
    life.close();
}

TEST_CASE("a dropped endpoint is forgotten with its messages, and begins anew when it is used again") {
    sim::Disk disk(1);
    {
        Life life(disk, small_segments());
        open(life);
        for (const auto& body : numbers(50, 200))
            REQUIRE(life.publish(body, {{"iothub", default_priority, {}}, {std::string(input), default_priority, {}}}));
        const auto taken = life.take(input, 5);
        REQUIRE(life.world.run(life.store->drop(input)));
        CHECK(life.store->endpoint(input).length() == 0);
        life.store->endpoint(input).acknowledge(taken[0]);
        life.store->endpoint(input).return_all();
        CHECK(life.take(input).empty());
        CHECK(life.store->status().size() == 1);
        REQUIRE(life.publish("new", to(input)));
        REQUIRE(life.world.run(life.store->drop("never there")));
    }
    Life life(disk, small_segments());
    open(life);
    CHECK(life.drain(input) == Bodies{"new"});
    CHECK(life.drain("iothub") == numbers(50, 200));
    life.close();
}

TEST_CASE("a full disk refuses messages, keeps what is stored, and serves again by itself") {
    sim::Disk disk(1, 16 * 1024);
    QueueLimits limits;
    limits.bytes_on_disk = 1024 * 1024;  // more than there is
    limits.segment_bytes = 4096;
    Life life(disk, limits);
    open(life);
    Bodies stored;
    for (const auto& body : numbers(100, 500)) {
        if (!life.publish(body, to(input))) break;
        stored.push_back(body);
    }
    CHECK(stored.size() > 10);
    CHECK(life.publish("x", to(input)).error().code == Errc::full);
    CHECK(life.store->endpoint(input).length() == stored.size());
    // What is done makes room, although no cursor can be written at first.
    const auto half = life.take(input, stored.size() / 2);
    for (const auto& delivery : half) life.store->endpoint(input).acknowledge(delivery);
    life.world.run_for(5s);
    REQUIRE(life.publish("again", to(input)));
    stored.erase(stored.begin(), stored.begin() + static_cast<std::ptrdiff_t>(half.size()));
    stored.emplace_back("again");
    CHECK(life.drain(input) == stored);
    life.close();
}

TEST_CASE("a message that could not be synced is refused, and not delivered later") {
    sim::Disk disk(1);
    Bodies expected;
    {
        Life life(disk, small_segments());
        open(life);
        REQUIRE(life.publish("one", to(input)));
        disk.fail_at(disk.operations() + 2, Errc::io);
        CHECK(life.publish("lost", to(input)).error().code == Errc::io);
        CHECK(life.store->endpoint(input).length() == 1);
        REQUIRE(life.publish("two", to(input)));
        CHECK(bodies(life.take(input)) == Bodies{"one", "two"});
    }
    Life life(disk, small_segments());
    open(life);
    CHECK(life.store->endpoint(input).length() == 2);  // a summary that counted the refused one would say 3
    CHECK(life.drain(input) == Bodies{"one", "two"});
    life.close();
}

TEST_CASE("a damaged segment costs what is damaged, and the queues open") {
    sim::Disk disk(1);
    {
        Life life(disk, small_segments());
        open(life);
        for (const auto& body : numbers(60, 200)) REQUIRE(life.publish(body, to(input)));
        life.close();
    }
    const auto name = "/queues/" + disk.list("/queues")->at(1);
    auto bytes = disk.contents(name);
    bytes[2000] ^= 1;
    SUBCASE("one byte") { disk.put(name, bytes); }
    SUBCASE("the snapshot") {
        bytes[70] ^= 1;
        disk.put(name, bytes);
    }
    SUBCASE("another file in the folder") { disk.put("/queues/notes.txt", "hello"); }
    SUBCASE("all of it") { disk.put(name, std::string(bytes.size(), '\x5a')); }
    Life life(disk, small_segments());
    open(life);
    const auto got = life.drain(input);
    CHECK(got.size() >= 40);
    CHECK(std::ranges::is_sorted(got, {}, [](const auto& body) { return std::stoi(body); }));
    CHECK(life.store->endpoint(input).length() == 0);
    REQUIRE(life.publish("on", to(input)));
    CHECK(life.drain(input) == Bodies{"on"});
    life.close();
}

namespace {
Task<> publish_into(QueueStore& store, std::string body, std::optional<Result<>>& outcome) {
    outcome = co_await store.append(text_message(std::move(body)), to("iothub"));
}

Task<> take_into(EndpointQueue& queue, std::vector<Delivery>& taken) {
    while (taken.empty()) {
        co_await queue.wait();
        taken = (co_await queue.take(10)).value();
    }
}
}  // namespace

TEST_CASE("a waiting consumer gets a message before it is durable, its publisher waits for the disk") {
    sim::Disk disk(1);
    Life life(disk);
    auto held = std::make_unique<HeldWorker>(life.world.executor());
    auto& worker = *held;
    worker.go.set();
    life.worker = std::move(held);
    open(life);
    worker.go.reset();
    {
        TaskScope scope(life.world.executor());
        std::vector<Delivery> taken;
        std::optional<Result<>> outcome;
        scope.spawn("consumer", take_into(life.store->endpoint("iothub"), taken));
        life.world.settle();
        scope.spawn("publisher", publish_into(*life.store, "fast", outcome));
        life.world.settle();
        CHECK(bodies(taken) == Bodies{"fast"});
        CHECK_FALSE(outcome);
        worker.go.set();
        life.world.settle();
        CHECK(outcome.value());
    }
    life.close();
}

TEST_CASE("the queues work on the real disk with a thread of their own") {
    const sim::TemporaryFolder folder;
    const auto files = storage::make_system_files();
    const auto worker = make_thread_worker("queues");
    const auto expected = numbers(500, 300);
    for (int opening = 0; opening < 2; ++opening) {
        Loop loop;
        SystemClock clock;
        (void)loop.run([&](Event&) -> Task<int> {
            auto opened =
                co_await QueueStore::open(*files, folder / "queues", *worker, clock, loop.executor(), small_segments());
            REQUIRE(opened);
            auto& store = **opened;
            if (opening == 0)
                for (const auto& body : expected) REQUIRE(co_await store.append(text_message(body), to("iothub")));
            Bodies got;
            while (opening == 1 && got.size() < expected.size()) {
                const auto taken = co_await store.endpoint("iothub").take(100);
                REQUIRE(taken);
                for (const auto& delivery : *taken) {
                    got.push_back(delivery.message->body);
                    store.endpoint("iothub").acknowledge(delivery);
                }
            }
            if (opening == 1) CHECK(got == expected);
            co_await store.close();
            opened->reset();
            co_return 0;
        });
    }
}
