#include "agent/logs/bundle.hpp"

#include "agent/logs/storage_test.hpp"

#include <doctest/doctest.h>

#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::agent;
using skerry::agent::testing::FakeStorage;

namespace {

constexpr std::size_t piece = 100'000;

// A daemon whose bundle is so many pieces.
class FakeBundle final : public LogSource {
public:
    int pieces{0};
    bool breaks{false};
    int taken{0};
    daemonapi::SupportBundleOptions asked;

    Task<Result<std::vector<std::string>>> modules() override { co_return std::vector<std::string>{}; }
    Task<Result<>> read(std::string, daemonapi::LogOptions, Taker) override { co_return Result<>{}; }
    Task<Result<>> read_bundle(daemonapi::SupportBundleOptions options, Taker take) override {
        asked = std::move(options);
        for (; taken < pieces; ++taken)
            if (!co_await take(std::string(piece, static_cast<char>('a' + taken)))) co_return Result<>{};
        if (breaks) co_return fail(Errc::closed, "the daemon went away");
        co_return Result<>{};
    }
};

DeviceFacts facts() {
    DeviceFacts facts;
    facts.hub_host = "hub.example";
    facts.device_id = "d";
    return facts;
}

Task<> upload(FakeBundle& bundle, const DeviceFacts& device, FakeStorage& storage, Result<>& result) {
    result = co_await upload_bundle(bundle, device, storage.parts(), FakeStorage::place(),
                                    {.since = "1h", .until = "", .edge_runtime_only = true});
}

Result<> upload(sim::World& world, FakeBundle& bundle, FakeStorage& storage) {
    Result<> result = fail(Errc::internal, "not done");
    const auto device = facts();
    world.run(upload(bundle, device, storage, result));
    world.run(storage.close());
    return result;
}

}  // namespace

TEST_CASE("a bundle goes up in blocks and appears when it is whole") {
    sim::World world;
    FakeStorage storage(world);
    FakeBundle bundle;
    bundle.pieces = 25;
    REQUIRE(upload(world, bundle, storage));
    CHECK(bundle.asked.since == "1h");
    CHECK(bundle.asked.edge_runtime_only);
    REQUIRE(storage.requests.size() == 4);
    std::string whole;
    for (int n = 0; n < 3; ++n) {
        CHECK(storage.requests[n].target.contains("comp=block&"));
        CHECK(storage.requests[n].body.size() <= 1024 * 1024 + piece);
        whole += storage.requests[n].body;
    }
    CHECK(whole.size() == 25 * piece);
    CHECK(whole[piece * 24] == 'a' + 24);
    const auto& list = storage.requests[3];
    CHECK(list.target.contains("comp=blocklist"));
    CHECK(list.target.contains("/hub.example/d/support-bundle-"));
    CHECK(list.target.contains(".zip?"));
    CHECK(list.headers.find("x-ms-blob-content-type") == "application/zip");
}

TEST_CASE("a small bundle is one call") {
    sim::World world;
    FakeStorage storage(world);
    FakeBundle bundle;
    bundle.pieces = 1;
    REQUIRE(upload(world, bundle, storage));
    REQUIRE(storage.requests.size() == 1);
    CHECK(storage.requests[0].body.size() == piece);
}

TEST_CASE("a block whose answer was lost is sent again, the same one") {
    sim::World world;
    FakeStorage storage(world);
    storage.statuses = {500, 201, 503, 201};
    FakeBundle bundle;
    bundle.pieces = 12;
    REQUIRE(upload(world, bundle, storage));
    REQUIRE(storage.requests.size() == 5);
    CHECK(storage.requests[0].target == storage.requests[1].target);
    CHECK(storage.requests[0].body == storage.requests[1].body);
    CHECK(storage.requests[2].target == storage.requests[3].target);
}

TEST_CASE("a bundle that breaks off, or is empty, leaves no blob; a storage that refuses ends the reading") {
    {
        sim::World world;
        FakeStorage storage(world);
        FakeBundle bundle;
        bundle.pieces = 12;
        bundle.breaks = true;
        CHECK(upload(world, bundle, storage).error().code == Errc::closed);
        REQUIRE(storage.requests.size() == 1);
        CHECK(storage.requests[0].target.contains("comp=block&"));
    }
    {
        sim::World world;
        FakeStorage storage(world);
        FakeBundle bundle;
        CHECK_FALSE(upload(world, bundle, storage));
        CHECK(storage.requests.empty());
    }
    sim::World world;
    FakeStorage storage(world);
    storage.statuses = {403};
    FakeBundle bundle;
    bundle.pieces = 100;
    CHECK(upload(world, bundle, storage).error().code == Errc::unauthorized);
    CHECK(bundle.taken < 12);
}

TEST_CASE("what a bundle may be asked for is checked") {
    const auto asked = parse_bundle_request({{"since", "2d"}, {"until", 1700000000}, {"edgeRuntimeOnly", true}});
    REQUIRE(asked);
    CHECK(asked->since == "2d");
    CHECK(asked->until == "1700000000");
    CHECK(asked->edge_runtime_only);
    CHECK_FALSE(parse_bundle_request({})->edge_runtime_only);
    CHECK_FALSE(parse_bundle_request({{"edgeRuntimeOnly", nullptr}})->edge_runtime_only);
    CHECK(parse_bundle_request({{"edgeRuntimeOnly", "yes"}}).error().status == 400);
    CHECK(parse_bundle_request({{"since", boost::json::object()}}).error().status == 400);
}
