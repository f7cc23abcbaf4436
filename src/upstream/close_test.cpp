// The end of the way to the cloud: whatever is under way, nothing of it reaches a hub that is gone.
#include "base/timeout.hpp"
#include "codec/mqtt.hpp"
#include "crypto/crypto.hpp"
#include "sim/world.hpp"
#include "upstream/upstream.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace skerry;
using namespace skerry::upstream;
using namespace std::chrono_literals;
namespace wire = codec::mqtt;
namespace json = boost::json;

namespace {
constexpr std::uint16_t port = 8883;

model::Identity own() { return model::Identity::parse("edge1/$edgeHub").value(); }

std::string authority() {
    const crypto::CertificateRequest request{.common_name = "hub.example.net",
                                             .not_before = std::chrono::system_clock::now() - 1h,
                                             .not_after = std::chrono::system_clock::now() + 24h};
    return crypto::self_signed_certificate(request, crypto::generate_private_key_pem(crypto::KeyKind::p256).value())
        .value();
}

Task<Result<std::string>> sign(std::string text) { co_return text; }

// A hub that is asked something and takes its time with it, also with ending when it is told to.
struct SlowHub final : hub::CloudListener {
    SlowHub(Clock& with, const Executor& executor) : clock(with), asked(executor) {}

    Task<> on_desired(model::Identity, json::object) override { co_return; }
    Task<iothub::MethodResponse> on_method(model::Identity, iothub::MethodRequest) override {
        struct Under {
            int& way;
            explicit Under(int& count) : way(count) { ++way; }
            ~Under() { --way; }
        } const under{under_way};
        asked.set();
        try {
            co_await clock.sleep(1h);
        } catch (...) { told = true; }
        co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::disable_cancellation());
        co_await clock.sleep(3s);
        co_return iothub::MethodResponse{};
    }
    Task<Result<>> on_cloud_to_device(model::Identity, model::Message) override { co_return Result<>{}; }
    void on_connected(const model::Identity&) override {}
    void on_disconnected(const model::Identity&, const Error&) override {}
    void on_refused(const model::Identity&) override {}

    Clock& clock;
    Event asked;
    int under_way{0};
    bool told{false};
};

// Lets one client in, calls a method, and reads nothing from then on.
Task<> deaf_cloud(std::unique_ptr<net::Listener> listener) {
    const auto stream = (co_await listener->accept()).value();
    if (!co_await stream->handshake()) co_return;
    wire::Decoder decoder;
    std::array<char, 4096> buffer;
    for (;;) {
        const auto packet = decoder.next();
        if (!packet) co_return;
        std::string answer;
        if (!*packet) {
            const auto count = co_await stream->read_some(buffer);
            if (!count || *count == 0) co_return;
            decoder.feed({buffer.data(), *count});
        } else if (std::holds_alternative<wire::Connect>(**packet)) {
            wire::encode(wire::Connack{}, answer);
        } else if (const auto* const subscribe = std::get_if<wire::Subscribe>(&**packet)) {
            wire::encode(wire::Suback{subscribe->id, std::vector<std::uint8_t>(subscribe->filters.size(), 0)}, answer);
            wire::encode(wire::Publish{.topic = "$iothub/methods/POST/ask/?$rid=1", .payload = "{}"}, answer);
        }
        if (answer.empty()) continue;
        if (!co_await stream->write(answer)) co_return;
        if (answer.size() > 10) break;
    }
    Event never(co_await boost::asio::this_coro::executor);
    co_await never.wait();
}

Task<> send(hub::CloudLink& link, std::string body) {
    auto message = std::make_shared<model::Message>();
    message->body = std::move(body);
    (void)co_await link.send(own(), std::move(message));
}

struct Stage {
    sim::World world;
    SlowHub hub{world.clock(), world.executor()};
    TaskScope tasks{world.executor()};

    ~Stage() { world.run(tasks.close()); }

    std::unique_ptr<hub::CloudLink> link() {
        return make_link({.executor = world.executor(),
                          .clock = world.clock(),
                          .random = world.random(),
                          .network = world.network(),
                          .own = own(),
                          .hub_host = "hub.example.net",
                          .dial_host = "localhost",
                          .mqtt_port = port,
                          .trusted_pem = authority(),
                          .signer = sign,
                          .chain_of = [](const model::Identity& of) { return std::vector<std::string>{of.id()}; }},
                         hub)
            .value();
    }
};
}  // namespace

TEST_CASE("a link that is closed leaves no call of the cloud under way, even if the cloud takes no goodbye") {
    Stage stage;
    stage.tasks.spawn("cloud", deaf_cloud(stage.world.network().listen_tls("localhost", port, nullptr).value()));
    auto link = stage.link();
    link->set_interests(own(), {.desired = true, .methods = true});
    stage.world.run(stage.hub.asked.wait());
    // More than the connection holds.
    for (int n = 0; n < 4; ++n) stage.tasks.spawn("message", send(*link, std::string(200'000, 'x')));
    stage.world.settle();
    CHECK(stage.hub.under_way == 1);
    stage.world.run(link->close());
    link.reset();
    CHECK(stage.hub.told);
    CHECK(stage.hub.under_way == 0);
}
