#include "daemon/identities.hpp"

#include "base/encoding.hpp"
#include "base/loop.hpp"
#include "crypto/crypto.hpp"
#include "daemon/http_api.hpp"
#include "daemon/unix_server.hpp"
#include "model/twin.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::daemon;

namespace {
// A hub that knows modules only.
struct FakeHub {
    std::map<std::string, boost::json::object> modules;
    int next_generation{1};
    int requests{0};
    int updates{0};

    Task<codec::HttpResponse> handle(codec::HttpRequest request, std::optional<pid_t>) {
        ++requests;
        const auto segments = request.segments();
        if (segments.size() == 3) {
            boost::json::array all;
            for (const auto& [id, module] : modules) all.push_back(module);
            codec::HttpResponse response;
            response.body = boost::json::serialize(all);
            co_return response;
        }
        const auto& id = segments.at(3);
        if (request.method == "GET")
            co_return modules.contains(id) ? answer(200, modules[id]) : refuse(404, "no module");
        if (request.method == "DELETE") {
            modules.erase(id);
            co_return no_content();
        }
        auto body = model::parse_object(request.body).value();
        if (modules.contains(id)) {
            ++updates;
            body["generationId"] = modules[id]["generationId"];
        } else {
            body["generationId"] = std::to_string(next_generation++);
            body["authentication"] = {{"type", "sas"},
                                      {"symmetricKey", {{"primaryKey", "aHVi"}, {"secondaryKey", "aHVi"}}}};
        }
        modules[id] = body;
        co_return answer(200, body);
    }
    std::string primary_key(const std::string& id) {
        return std::string(modules[id]["authentication"].at("symmetricKey").at("primaryKey").get_string());
    }
};

struct World {
    sim::TemporaryFolder folder;
    Loop loop;
    SystemClock clock;
    SystemRandom random;
    std::unique_ptr<net::Network> network{net::make_system_network(loop.executor())};
    std::unique_ptr<storage::Files> files{storage::make_system_files()};
    Platform platform{loop.executor(), clock, random, *network, *files};
    Keys keys{Keys::open(*files, random, folder / "keys", std::nullopt).value()};
    FakeHub hub;
    std::unique_ptr<storage::Database> database;
    std::unique_ptr<UnixServer> server;

    void plug_in() {
        const auto handler = [this](codec::HttpRequest request, const net::Peer& peer) {
            return hub.handle(std::move(request), peer.process);
        };
        server = std::make_unique<UnixServer>(platform, "hub", network->listen_unix(folder / "hub.sock", 0600).value(),
                                              handler, 10);
    }
    Task<> unplug() {
        co_await server->close();
        server.reset();
    }
    // A new one on the same database, as after a restart.
    std::unique_ptr<Identities> identities(const std::string& device = "d", bool* changed = nullptr) {
        database.reset();
        database = storage::Database::open(folder / "daemon.db", daemon_migrations()).value();
        auto http = std::make_unique<net::HttpClient>(clock, net::unix_connector(*network, folder / "hub.sock"));
        auto credentials = std::make_shared<iothub::Credentials>("hub", model::Identity::device(device).value(),
                                                                 iothub::key_signer("key"), clock);
        auto made = std::make_unique<Identities>(
            platform, *database, keys,
            std::make_unique<iothub::RegistryClient>(std::move(http), std::move(credentials), device));
        const auto opened = made->open("hub", device, "", "host");
        REQUIRE(opened);
        if (changed != nullptr) *changed = *opened;
        return made;
    }
};

template <class Test>
void run(World& world, Test test) {
    world.loop.run([&](Event&) -> Task<int> {
        co_await test();
        if (world.server) co_await world.unplug();
        co_return 0;
    });
}
}  // namespace

TEST_CASE("an identity is created in the hub with keys of ours, and signing uses them") {
    World world;
    world.plug_in();
    run(world, [&]() -> Task<> {
        const auto identities = world.identities();
        const auto made = co_await identities->update("filter", "IotEdge");
        REQUIRE_MESSAGE(made, made.error().text);
        CHECK(made->generation == "1");
        CHECK(made->managed_by == "IotEdge");
        const auto key = base64_decode(world.hub.primary_key("filter")).value();
        CHECK(key == world.keys.module_key("filter", "1", "primary"));
        CHECK((co_await identities->sign("filter", "text")).value() == crypto::hmac_sha256(key, "text"));
        // Nothing to change: nothing is written to the hub.
        const auto updates = world.hub.updates;
        REQUIRE(co_await identities->update("filter", "IotEdge"));
        CHECK(world.hub.updates == updates);
    });
}

TEST_CASE("identities that were known once need no hub: signing, listing and updating go on") {
    World world;
    world.plug_in();
    run(world, [&]() -> Task<> {
        REQUIRE(co_await world.identities()->update("filter", "IotEdge"));
        const auto requests = world.hub.requests;
        co_await world.unplug();
        const auto identities = world.identities();
        CHECK(co_await identities->sign("filter", "text"));
        CHECK((co_await identities->ensure("filter"))->generation == "1");
        CHECK((co_await identities->update("filter", "IotEdge"))->generation == "1");
        CHECK((co_await identities->list())->size() == 1);
        CHECK(world.hub.requests == requests);
        const auto unknown = co_await identities->sign("other", "text");
        REQUIRE_FALSE(unknown);
        CHECK(unknown.error().code == Errc::unreachable);
    });
}

TEST_CASE("signing a known module's text never asks the hub, even when it is there") {
    World world;
    world.plug_in();
    run(world, [&]() -> Task<> {
        const auto identities = world.identities();
        REQUIRE(co_await identities->ensure("filter"));
        const auto requests = world.hub.requests;
        for (int i = 0; i < 10; ++i) CHECK(co_await identities->sign("filter", "text"));
        CHECK(world.hub.requests == requests);
    });
}

TEST_CASE("a module made anew in the hub gets keys for its new generation; one deleted there is forgotten") {
    World world;
    world.plug_in();
    run(world, [&]() -> Task<> {
        const auto identities = world.identities();
        for (const auto* id : {"filter", "gone"}) REQUIRE(co_await identities->update(id, ""));
        world.hub.modules["filter"]["generationId"] = "99";
        world.hub.modules.erase("gone");
        const auto listed = co_await identities->list();
        REQUIRE(listed);
        CHECK(listed->size() == 1);
        CHECK(identities->cached("filter")->generation == "99");
        CHECK_FALSE(identities->cached("gone"));
        CHECK(base64_decode(world.hub.primary_key("filter")) == world.keys.module_key("filter", "99", "primary"));
    });
}

TEST_CASE("deleting an identity deletes it in the hub and here; offline it fails and nothing is forgotten") {
    World world;
    world.plug_in();
    run(world, [&]() -> Task<> {
        const auto identities = world.identities();
        for (const auto* id : {"a", "b"}) REQUIRE(co_await identities->update(id, ""));
        REQUIRE(co_await identities->remove("a"));
        CHECK_FALSE(world.hub.modules.contains("a"));
        CHECK_FALSE(identities->cached("a"));
        co_await world.unplug();
        CHECK_FALSE(co_await identities->remove("b"));
        CHECK(identities->cached("b"));
    });
}

TEST_CASE("another device's identities are dropped, and the caller is told") {
    World world;
    world.plug_in();
    run(world, [&]() -> Task<> {
        bool changed = true;
        REQUIRE(co_await world.identities("d", &changed)->update("filter", ""));
        CHECK_FALSE(changed);
        CHECK(world.identities("d", &changed)->cached("filter"));
        CHECK_FALSE(changed);
        CHECK_FALSE(world.identities("other", &changed)->cached("filter"));
        CHECK(changed);
        CHECK_FALSE(world.identities("d", &changed)->cached("filter"));
    });
}
