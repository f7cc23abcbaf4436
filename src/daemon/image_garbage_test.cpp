#include "daemon/image_garbage.hpp"

#include "daemon/config.hpp"
#include "sim/temporary_folder.hpp"
#include "sim/world.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <set>

using namespace skerry;
using namespace skerry::daemon;
using namespace std::chrono_literals;

namespace {
class FakeImages final : public engine::ImageStore {
public:
    std::set<std::string> here;
    std::set<std::string> in_use;
    std::set<std::string> stuck;
    Result<> trouble;
    std::vector<std::string> tried;

    Task<Result<std::string>> image_id(model::ModuleSpec spec) override {
        if (!here.contains(spec.image)) co_return fail(Errc::not_found, "no such image");
        co_return spec.image;
    }
    Task<Result<std::vector<std::string>>> image_ids() override {
        if (!trouble) co_return std::unexpected(trouble.error());
        co_return std::vector(here.begin(), here.end());
    }
    Task<Result<std::vector<std::string>>> image_ids_in_use() override {
        co_return std::vector(in_use.begin(), in_use.end());
    }
    Task<Result<>> remove_image(std::string id) override {
        tried.push_back(id);
        if (stuck.contains(id)) co_return fail(Errc::conflict, "image is being used");
        here.erase(id);
        co_return Result<>{};
    }
};

std::vector<model::ModuleSpec> agents() {
    model::ModuleSpec bootstrap;
    bootstrap.image = "agent";
    auto former = bootstrap;
    former.image = "former";
    return {bootstrap, former};
}

struct Garbage {
    explicit Garbage(ImageGarbageConfig chosen = {}) : config(chosen) { config.rollback_reserve = 1h; }
    sim::World world;
    sim::TemporaryFolder folder;
    std::unique_ptr<storage::Files> files{storage::make_system_files()};
    FakeImages images;
    ImageGarbageConfig config;
    Platform platform{world.executor(), world.clock(), world.random(), world.network(), *files};
    std::unique_ptr<ImageUse> use{std::make_unique<ImageUse>(*files, world.clock(), folder.path())};

    std::size_t clear() {
        ImageGarbage garbage(platform, config, images, *use, agents);
        const auto removed = world.run(garbage.clear());
        REQUIRE_MESSAGE(removed, removed.error().text);
        return *removed;
    }
    void restart() { use = std::make_unique<ImageUse>(*files, world.clock(), folder.path()); }
    std::string state() { return storage::read_file(*files, folder / "gc" / "image_use").value_or(""); }
    void state(const std::string& text) {
        REQUIRE(files->make_folders(folder / "gc", 0700));
        REQUIRE(storage::replace_file(*files, folder / "gc" / "image_use", text));
        restart();
    }
    std::int64_t now() { return unix_seconds(world.clock().wall()); }
};
}  // namespace

TEST_CASE("an image that was pulled and is not used for long enough is removed, and no other") {
    Garbage garbage;
    garbage.images.here = {"old", "young", "used", "agent", "former", "theirs"};
    garbage.images.in_use = {"used"};
    for (const auto* id : {"old", "used", "agent", "former"}) garbage.use->pulled(id);
    garbage.use->used("theirs");  // not by us
    garbage.world.run_for(7 * 24h - 1s);
    garbage.use->pulled("young");
    CHECK(garbage.clear() == 0);
    garbage.world.run_for(1s);
    CHECK(garbage.clear() == 1);
    CHECK(garbage.images.here == std::set<std::string>{"young", "used", "agent", "former", "theirs"});
    CHECK(garbage.use->all() == std::vector<std::string>{"agent", "former", "used", "young"});
}

TEST_CASE("an image's age begins when its last container has gone") {
    Garbage garbage;
    garbage.images.here = garbage.images.in_use = {"a"};
    garbage.use->pulled("a");
    garbage.world.run_for(30 * 24h);
    CHECK(garbage.clear() == 0);
    garbage.images.in_use.clear();
    garbage.world.run_for(6 * 24h);
    CHECK(garbage.clear() == 0);
    garbage.world.run_for(24h);
    CHECK(garbage.clear() == 1);
}

TEST_CASE("what a rollback may need stays for its reserve, also after a long time without power") {
    Garbage garbage({.threshold = 0s});
    garbage.images.here = {"a"};
    garbage.use->pulled("a");
    garbage.world.run_for(59min);
    CHECK(garbage.clear() == 0);
    garbage.world.run_for(1min);
    garbage.use->pulled("a");
    garbage.world.run_for(30 * 24h);
    garbage.restart();
    CHECK(garbage.clear() == 0);
    garbage.world.run_for(1h);
    CHECK(garbage.clear() == 1);
}

TEST_CASE("an image that can't be removed is tried again, and one that somebody else removed is forgotten") {
    Garbage garbage({.threshold = 0s});
    garbage.images.here = {"a", "b"};
    garbage.images.stuck = {"a"};
    for (const auto* id : {"a", "b", "gone"}) garbage.use->pulled(id);
    garbage.world.run_for(2h);
    CHECK(garbage.clear() == 1);
    CHECK(garbage.use->all() == std::vector<std::string>{"a"});
    garbage.images.stuck.clear();
    CHECK(garbage.clear() == 1);
    CHECK(garbage.images.tried == std::vector<std::string>{"a", "b", "a"});
}

TEST_CASE("the state file has the existing runtime's format and is read again") {
    Garbage garbage;
    garbage.use->pulled("sha256:b");
    garbage.use->pulled("sha256:a");
    CHECK(garbage.state() == fmt::format("sha256:a {0}\nsha256:b {0}\n", garbage.now()));
    garbage.restart();
    CHECK(garbage.use->all() == std::vector<std::string>{"sha256:a", "sha256:b"});
    garbage.state("sha256:c 1700000000\nrubbish\n x\nsha256:d -\n\nsha256:e 1700000000");
    CHECK(garbage.use->all() == std::vector<std::string>{"sha256:c", "sha256:e"});
}

TEST_CASE("a clock that jumps makes no image old") {
    Garbage garbage;
    garbage.images.here = {"a"};
    garbage.use->pulled("a");
    garbage.world.clock().jump_wall(365 * 24h);
    garbage.world.run_for(2h);
    CHECK(garbage.clear() == 0);
    garbage.use->pulled("b");  // and the file follows the clock
    CHECK(garbage.state().starts_with(fmt::format("a {}\n", garbage.now() - 7200)));
    garbage.world.clock().jump_wall(-10 * 365 * 24h);
    garbage.restart();
    garbage.world.run_for(2h);
    CHECK(garbage.clear() == 0);
    // A device that starts without a clock and gets its time later.
    garbage.state("a 86400\n");
    garbage.world.run_for(2h);
    CHECK(garbage.clear() == 0);
    garbage.world.run_for(7 * 24h);
    CHECK(garbage.clear() == 1);
}

TEST_CASE("the first run is at the time of day, later ones a recurrence after it; trouble ends nothing") {
    Garbage garbage({.recurrence = 48h, .threshold = 0s, .time_of_day = 6h});
    auto& clock = garbage.world.clock();
    const auto first = next_time_of_day(clock.wall(), 6h);
    CHECK(first > clock.wall());
    CHECK(first <= clock.wall() + 24h);
    CHECK(next_time_of_day(first, 6h) == first + 24h);
    garbage.images.here = {"a"};
    garbage.use->pulled("a");
    garbage.images.trouble = fail(Errc::unreachable, "no engine");
    ImageGarbage collector(garbage.platform, garbage.config, garbage.images, *garbage.use, agents);
    TaskScope scope(garbage.world.executor());
    scope.spawn("garbage", collector.run());
    garbage.world.run_for(first - clock.wall() + 1min);
    CHECK(garbage.images.here.size() == 1);
    garbage.images.trouble = {};
    garbage.world.run_for(47h);
    CHECK(garbage.images.here.size() == 1);
    garbage.world.run_for(2h);
    CHECK(garbage.images.here.empty());
    garbage.world.run(scope.close());
}

TEST_CASE("a clock that is set back does not put the next run off for longer than its recurrence") {
    Garbage garbage({.recurrence = 24h, .threshold = 0s});
    garbage.images.here = {"a"};
    garbage.use->pulled("a");
    ImageGarbage collector(garbage.platform, garbage.config, garbage.images, *garbage.use, agents);
    TaskScope scope(garbage.world.executor());
    scope.spawn("garbage", collector.run());
    garbage.world.run_for(1h);
    garbage.world.clock().jump_wall(-1000 * 24h);
    garbage.world.run_for(25h);
    CHECK(garbage.images.here.empty());
    garbage.world.run(scope.close());
}
