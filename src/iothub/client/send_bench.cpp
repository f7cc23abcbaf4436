// Messages per second that a client sends with acknowledgement, over a unix socket, with a hub on the same thread that
// does nothing but decode and acknowledge: the client alone has about half of the time.
#include "base/loop.hpp"
#include "base/task_scope.hpp"
#include "codec/mqtt.hpp"
#include "iothub/device_client.hpp"

#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <unistd.h>

namespace {
using namespace skerry;
namespace mqtt = codec::mqtt;

void answer(const mqtt::Packet& packet, std::string& out) {
    if (std::holds_alternative<mqtt::Connect>(packet))
        mqtt::encode(mqtt::Packet{mqtt::Connack{}}, out);
    else if (const auto* subscribe = std::get_if<mqtt::Subscribe>(&packet))
        mqtt::encode(mqtt::Packet{mqtt::Suback{subscribe->id, std::vector<std::uint8_t>(subscribe->filters.size(), 1)}},
                     out);
    else if (const auto* publish = std::get_if<mqtt::Publish>(&packet))
        mqtt::encode(mqtt::Packet{mqtt::Puback{publish->id}}, out);
}

Task<> serve(net::Listener& listener) {
    const auto stream = std::move((co_await listener.accept()).value());
    mqtt::Decoder decoder;
    std::string out;
    std::array<char, 64 * 1024> buffer;
    for (;;) {
        const auto count = co_await stream->read_some(buffer);
        if (!count || *count == 0) co_return;
        decoder.feed({buffer.data(), *count});
        for (auto packet = decoder.next(); packet && *packet; packet = decoder.next()) answer(**packet, out);
        if (!co_await stream->write(out)) co_return;
        out.clear();
    }
}

Task<> send_many(iothub::DeviceClient& client, model::SharedMessage message, std::size_t count) {
    for (std::size_t at = 0; at < count; ++at)
        if (!co_await client.send(message)) std::abort();
}

Task<> run(benchmark::State& state, Executor executor) {
    const auto network = net::make_system_network(executor);
    const auto path = std::filesystem::temp_directory_path() / ("skerry-bench-" + std::to_string(::getpid()));
    const auto listener = network->listen_unix(path, 0600).value();
    SystemClock clock;
    SystemRandom random;
    TaskScope tasks(executor);
    tasks.spawn("hub", serve(*listener));
    const auto identity = model::Identity::module("d1", "m1").value();
    iothub::DeviceClientOptions options{.dial_host = {},
                                        .tls = nullptr,
                                        .identity = identity,
                                        .auth_chain = {},
                                        .connector = net::unix_connector(*network, path)};
    const auto credentials =
        std::make_shared<iothub::Credentials>("hub.example", identity, iothub::key_signer("k"), clock);
    iothub::DeviceClient client(std::move(options), {}, credentials, *network, clock, random, executor);
    client.start();
    co_await client.wait_connected();
    auto message = std::make_shared<model::Message>();
    message->body = std::string(static_cast<std::size_t>(state.range(0)), 'x');
    message->set_system_property("messageId", "0f8fad5b-d9cb-469f-a165-70867728950e-12345");
    message->set_system_property("contentType", "application/json");
    constexpr std::size_t senders = 128;
    constexpr std::size_t each = 200;
    for ([[maybe_unused]] auto iteration : state) {
        TaskScope sending(executor);
        for (std::size_t at = 0; at < senders; ++at) sending.spawn("send", send_many(client, message, each));
        co_await sending.idle();
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * senders * each));
    co_await client.close();
    co_await tasks.close();
    std::filesystem::remove(path);
}

void send_with_acknowledgement(benchmark::State& state) {
    Loop loop;
    loop.run([&](Event&) -> Task<int> {
        co_await run(state, loop.executor());
        co_return 0;
    });
}
BENCHMARK(send_with_acknowledgement)->Arg(256)->Arg(1024)->Unit(benchmark::kMillisecond);
}  // namespace
