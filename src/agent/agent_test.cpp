#include "agent/agent.hpp"

#include "agent/store.hpp"
#include "agent/world_test.hpp"
#include "base/encoding.hpp"
#include "model/twin.hpp"
#include "net/http.hpp"
#include "sim/temporary_folder.hpp"
#include "sim/world.hpp"

#include <doctest/doctest.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

using namespace skerry;
using namespace skerry::agent;
using namespace skerry::agent::testing;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

codec::HttpResponse answer(unsigned status, const json::object& body = {}) {
    codec::HttpResponse response{.status = status};
    if (status != 204) response.body = json::serialize(body);
    return response;
}

codec::HttpResponse answer(const Result<>& result) {
    return result ? answer(204) : answer(500, {{"message", result.error().text}});
}

// The daemon's two APIs over HTTP, as far as an agent without a hub asks.
class HttpDaemon {
public:
    HttpDaemon(sim::World& world, FakeDaemon& daemon) : world_(world), daemon_(daemon), scope_(world.executor()) {
        listen("/mgmt.sock",
               [this](codec::HttpRequest request, const net::Peer&) { return manage(std::move(request)); });
        listen("/work.sock", [this](codec::HttpRequest request, const net::Peer&) { return work(std::move(request)); });
    }
    [[nodiscard]] Task<> close() {
        for (auto& listener : listeners_) listener->close();
        co_await scope_.close();
    }

private:
    void listen(const char* path, net::HttpHandler handler) {
        listeners_.push_back(std::move(world_.network().listen_unix(path, 0600).value()));
        scope_.spawn("accept", accept(*listeners_.back(), std::move(handler)));
    }
    Task<> accept(net::Listener& listener, net::HttpHandler handler) {
        for (;;) {
            auto stream = co_await listener.accept();
            if (!stream) co_return;
            scope_.spawn("serve", serve(std::move(*stream), handler));
        }
    }
    Task<> serve(std::unique_ptr<net::Stream> stream, net::HttpHandler handler) {
        co_await net::serve_http(*stream, world_.clock(), handler);
    }

    Task<codec::HttpResponse> manage(codec::HttpRequest request) {
        const auto segments = request.segments();
        if (request.raw_path() == "/systeminfo") co_return answer(200, *co_await daemon_.system_info());
        if (segments.size() == 3 && segments[2] == "start") co_return answer(co_await daemon_.start(segments[1]));
        if (request.raw_path() != "/modules") co_return answer(404, {{"message", "not found"}});
        json::array modules;
        for (const auto& [name, module] : daemon_.modules) modules.push_back(daemonapi::to_json(module));
        co_return answer(200, {{"modules", std::move(modules)}});
    }

    Task<codec::HttpResponse> work(codec::HttpRequest request) {
        if (request.raw_path() == "/trust-bundle") co_return answer(404, {{"message", "not found"}});
        const auto body = model::parse_object(request.body);
        if (!body || !request.raw_path().starts_with("/modules/%24edgeAgent/genid/g/decrypt")) co_return answer(404);
        const auto bytes = [&](std::string_view name) { return *base64_decode(body->at(name).as_string()); };
        const auto plain = co_await seal_.decrypt(bytes("ciphertext"), bytes("initializationVector"));
        co_return answer(200, {{"plaintext", base64_encode(*plain)}});
    }

    sim::World& world_;
    FakeDaemon& daemon_;
    XorSeal seal_;
    std::vector<std::unique_ptr<net::Listener>> listeners_;
    TaskScope scope_;
};

Task<> run_into(int& status, daemonapi::Environment environment, Platform platform, Event& stop) {
    status = co_await run_agent(std::move(environment), platform, stop);
}

daemonapi::Environment environment_in(const std::filesystem::path& folder) {
    return daemonapi::Environment({{"IOTEDGE_DEVICEID", "d"},
                                   {"IOTEDGE_IOTHUBHOSTNAME", "hub.example"},
                                   {"IOTEDGE_MANAGEMENTURI", "unix:///mgmt.sock"},
                                   {"IOTEDGE_WORKLOADURI", "unix:///work.sock"},
                                   {"IOTEDGE_MODULEGENERATIONID", "g"},
                                   {"StorageFolder", folder.native()}});
}

Task<> store(Store& store, json::object desired) {
    REQUIRE(co_await store.save_deployment({.version = 3, .desired = std::move(desired)}));
}

}  // namespace

TEST_CASE("the role runs the stored deployment over the daemon's APIs with no hub, and stops on demand") {
    sim::World world;
    const sim::TemporaryFolder folder;
    const auto files = storage::make_system_files();
    const Platform platform{.executor = world.executor(),
                            .clock = world.clock(),
                            .random = world.random(),
                            .network = world.network(),
                            .files = *files};
    XorSeal seal;
    Store stored(*files, world.random(), seal, folder / "edgeAgent");
    const auto desired = manifest_of({{"filter", json::object()}});
    world.run(store(stored, desired));

    FakeDaemon daemon(world.clock(), world.executor());
    daemon.add_agent("agent:1");
    const auto facts = DeviceFacts::from(environment_in(folder.path())).value();
    const auto deployment = make_deployment(desired, 3, facts).value();
    for (const auto* name : {"edgeHub", "filter"}) {
        auto& module = daemon.modules[name];
        module.name = name;
        module.state = model::RuntimeState::stopped;
        module.create_options = make_spec(*deployment->find(name), deployment->manifest, facts, "g").create_options;
    }

    HttpDaemon http(world, daemon);
    Event stop(world.executor());
    int status = -1;
    TaskScope scope(world.executor());
    scope.spawn("agent", run_into(status, environment_in(folder.path()), platform, stop));
    world.run_for(10s);
    CHECK(daemon.calls == std::vector<std::string>{"start edgeHub", "start filter"});
    CHECK(daemon.running("filter"));

    stop.set();
    world.run_for(5s);
    CHECK(status == 0);
    CHECK(daemon.running("filter"));
    world.run(http.close());
}

TEST_CASE("an agent that was not started by the daemon says so and ends") {
    sim::World world;
    const auto files = storage::make_system_files();
    const Platform platform{.executor = world.executor(),
                            .clock = world.clock(),
                            .random = world.random(),
                            .network = world.network(),
                            .files = *files};
    Event stop(world.executor());
    CHECK(world.run(run_agent(daemonapi::Environment({{"IOTEDGE_DEVICEID", "d"}}), platform, stop)) == 1);
}
