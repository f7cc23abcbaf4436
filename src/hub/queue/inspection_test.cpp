#include "hub/queue/inspection.hpp"

#include "hub/queue/life_test.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

using namespace skerry;
using namespace skerry::hub;

namespace {
Inspection inspect(sim::Disk& disk) {
    auto inspection = inspect_queues(disk, "/queues");
    REQUIRE_MESSAGE(inspection, inspection.error().text);
    return std::move(*inspection);
}
const InspectedQueue* find(const Inspection& inspection, std::string_view endpoint, std::uint32_t priority) {
    const auto found = std::ranges::find_if(
        inspection.queues, [&](const auto& queue) { return queue.endpoint == endpoint && queue.priority == priority; });
    return found == inspection.queues.end() ? nullptr : &*found;
}
void change(sim::Disk& disk, const std::string& name, std::uint64_t offset) {
    auto bytes = disk.contents("/queues/" + name);
    bytes.replace(offset, 6, "damage");
    disk.put("/queues/" + name, std::move(bytes));
}
}  // namespace

TEST_CASE("an inspection counts what the hub still has to deliver, also while the hub runs") {
    sim::Disk disk(1);
    Life life(disk);
    REQUIRE(life.open());
    for (int i = 0; i < 10; ++i)
        REQUIRE(life.publish(std::to_string(i), {{"iothub", default_priority, {}}, {"dev/mod/in", 3, {}}}));
    REQUIRE(life.publish("dropped", {{"gone", default_priority, {}}}));
    REQUIRE(life.world.run(life.store->drop("gone")));
    const auto taken = life.take("iothub", 4);
    for (std::size_t i = 0; i < taken.size(); ++i)
        if (i != 1) life.store->endpoint("iothub").acknowledge(taken[i]);
    life.world.run_for(std::chrono::seconds(1));

    const auto check = [&] {
        const auto inspection = inspect(disk);
        CHECK(inspection.queues.size() == 2);
        const auto* const upstream = find(inspection, "iothub", default_priority);
        const auto* const input = find(inspection, "dev/mod/in", 3);
        REQUIRE(upstream);
        REQUIRE(input);
        CHECK(upstream->messages == 7);
        CHECK(input->messages == 10);
        CHECK(input->bytes > 10 * 32);
        CHECK(input->oldest <= input->newest);
        CHECK(inspection.unreadable == 0);
        CHECK(verify_log(inspection).sound);
        return inspection;
    };
    const auto operations = disk.operations();
    check();
    CHECK(disk.operations() == operations);  // nothing was written
    life.close();
    const auto inspection = check();
    const auto text = inspection_text(inspection, life.world.clock().wall());
    CHECK(text.find("dev/mod/in") != text.npos);
    const auto json = boost::json::serialize(inspection_json(inspection));
    CHECK(json.find(R"("endpoint":"iothub","priority":2000000000,"messages":7)") != json.npos);
}

TEST_CASE("verify says which segment is damaged and where, and counts what is whole") {
    sim::Disk disk(1);
    Life life(disk);
    REQUIRE(life.open());
    for (int i = 0; i < 20; ++i) REQUIRE(life.publish(std::string(100, 'x'), {{"iothub", default_priority, {}}}));
    life.close();
    const auto before = inspect(disk);
    REQUIRE(before.log.segments.size() == 1);
    const auto& segment = before.log.segments.front();
    change(disk, segment.name, (segment.check.end - segment.base) / 2);

    const auto after = inspect(disk);
    const auto verdict = verify_log(after);
    CHECK_FALSE(verdict.sound);
    CHECK(verdict.text.find(segment.name + ": ") != verdict.text.npos);
    CHECK(verdict.text.find("are damaged") != verdict.text.npos);
    CHECK(find(after, "iothub", default_priority)->messages == 19);
}

TEST_CASE("queues are found from wherever a person starts") {
    sim::Disk disk(1);
    CHECK(find_queues(disk, "/home").error().code == Errc::not_found);
    REQUIRE(disk.make_folders("/home/storage/edgeHub/edgeHub/queue", 0700));
    disk.put("/home/storage/edgeHub/edgeHub/queue/0000000000000000.seg", "");
    for (const auto* place : {"/home", "/home/storage", "/home/storage/edgeHub", "/home/storage/edgeHub/edgeHub",
                              "/home/storage/edgeHub/edgeHub/queue"}) {
        const auto found = find_queues(disk, place);
        REQUIRE_MESSAGE(found, place);
        CHECK(*found == "/home/storage/edgeHub/edgeHub/queue");
    }
}
