// With real threads, clocks and sockets: the hub is on the client's own loop, behind a unix socket.
#include "sdk/blocking_module_client.hpp"

#include "iothub/client/test_hub.hpp"
#include "sdk/blocking_state.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <future>
#include <stdexcept>
#include <thread>

using namespace skerry;
using namespace skerry::iothub;
using namespace skerry::sdk;
using namespace std::chrono_literals;

namespace {
Task<Result<std::unique_ptr<ModuleClient>>> connect_to(Platform platform, std::filesystem::path socket) {
    const auto identity = model::Identity::module("d1", "m1").value();
    DeviceClientOptions options{.dial_host = {},
                                .tls = nullptr,
                                .identity = identity,
                                .auth_chain = {},
                                .first_backoff = 10ms,
                                .connector = net::unix_connector(platform.network, std::move(socket))};
    co_return std::make_unique<ModuleClient>(
        platform, Connection{std::move(options),
                             std::make_shared<Credentials>("hub.example", identity, key_signer("k"), platform.clock)});
}

struct Stage {
    sim::TemporaryFolder folder;
    std::shared_ptr<BlockingModuleClient::State> state{std::make_shared<BlockingModuleClient::State>()};
    std::unique_ptr<TestHub> hub;  // lives on the loop's thread
    BlockingModuleClient client{state};

    Stage() {
        REQUIRE(state->create([this](Platform platform) {
            const auto socket = folder / "hub.sock";
            hub = std::make_unique<TestHub>(
                platform.executor, [&network = platform.network, socket] { return network.listen_unix(socket, 0600); });
            hub->on_twin = [](std::string_view, std::string_view body) {
                return std::pair(200,
                                 body.empty() ? R"({"desired":{"a":1,"$version":3},"reported":{}})" : std::string());
            };
            return connect_to(platform, socket);
        }));
    }
    ~Stage() {
        close_hub();
        client.close();
    }

    void close_hub() {
        (void)state->loop.call<void>([this](Platform) { return end(std::move(hub)); });
    }

    // Runs `work` on the loop's thread.
    void on_loop(std::function<void()> work) {
        (void)state->loop.call<void>([&](Platform) { return run(work); });
    }
    void push(std::string input, std::string body) {
        on_loop([&] { hub->push("devices/d1/modules/m1/inputs/" + input + "/%24.mid=i", body); });
    }

private:
    static Task<Result<>> end(std::unique_ptr<TestHub> hub) {
        if (hub) co_await hub->close();
        co_return Result<>{};
    }
    static Task<Result<>> run(std::function<void()> work) {
        work();
        co_return Result<>{};
    }
};

Message text(std::string body) {
    Message message;
    message.body = std::move(body);
    return message;
}
}  // namespace

TEST_CASE("a plain thread sends, reads the twin and reports") {
    Stage stage;
    REQUIRE(stage.client.open());
    CHECK(stage.client.send_event("out", text("m")));
    stage.on_loop([&] { CHECK(stage.hub->messages.at(0).payload == "m"); });
    CHECK(stage.client.get_twin().value() == R"({"desired":{"a":1,"$version":3},"reported":{}})");
    CHECK(stage.client.report(R"({"b":1})"));
    CHECK(stage.client.report("no json").error().code == Errc::malformed);
}

TEST_CASE("handlers run on a thread of their own, may send, and their errors and exceptions are kept") {
    Stage stage;
    std::promise<std::thread::id> thread;
    std::promise<std::string> desired;
    std::promise<void> third;
    int calls = 0;
    stage.client.set_input_handler("x", [&](const Message& message) -> Result<> {
        if (++calls == 1) return fail(Errc::io, "on purpose");
        if (calls == 2) throw std::runtime_error("on purpose");
        thread.set_value(std::this_thread::get_id());
        auto sent = stage.client.send_event("out", text("from " + message.body));
        third.set_value();
        return sent;
    });
    stage.client.set_desired_handler([&](const std::string& json) { desired.set_value(json); });
    stage.client.set_method_handler("m",
                                    [](const std::string&) -> MethodReply { throw std::runtime_error("on purpose"); });
    REQUIRE(stage.client.open());
    CHECK(desired.get_future().get() == R"({"a":1,"$version":3})");
    auto done = third.get_future();
    for (int attempt = 0; attempt < 500 && done.wait_for(10ms) == std::future_status::timeout; ++attempt)
        stage.on_loop([&] {
            // Once per connection: a failing handler has it reopened.
            if (stage.hub->subscribes.size() > static_cast<std::size_t>(stage.hub->last_id))
                stage.hub->push("devices/d1/modules/m1/inputs/x/%24.mid=i", "body");
        });
    REQUIRE(done.wait_for(0s) == std::future_status::ready);
    CHECK(thread.get_future().get() != std::this_thread::get_id());
    stage.on_loop([&] { CHECK(stage.hub->messages.at(0).payload == "from body"); });
}

TEST_CASE("open() says why there is no connection, and closing ends what waits") {
    Stage stage;
    stage.on_loop([&] { stage.hub->connack = mqtt::ConnectCode::not_authorized; });
    const auto opened = stage.client.open(200ms);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Errc::timeout);
    CHECK(opened.error().text.find("not authorized") != std::string::npos);

    auto sending = std::async(std::launch::async, [&] { return stage.client.send_event("out", text("m")); });
    auto waiting = std::async(std::launch::async, [&] { stage.client.wait(); });
    CHECK(sending.wait_for(20ms) == std::future_status::timeout);
    stage.close_hub();
    stage.client.close();
    CHECK(sending.get().error().code == Errc::closed);
    waiting.get();
    CHECK(stage.client.send_event("out", text("m")).error().code == Errc::closed);
}
