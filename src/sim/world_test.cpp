#include "sim/world.hpp"

#include "base/timeout.hpp"

#include <doctest/doctest.h>

#include <array>
#include <stdexcept>

using namespace skerry;
using namespace skerry::sim;
using namespace std::chrono_literals;

namespace {
Task<> note_after(Clock& clock, Duration delay, std::string name, std::string& out) {
    co_await clock.sleep(delay);
    out += name;
}

Task<Result<int>> slow(Clock& clock, Duration duration) {
    co_await clock.sleep(duration);
    co_return 7;
}

Task<> write_and_close(std::unique_ptr<net::Stream> stream, std::string bytes, Result<>& written) {
    written = co_await stream->write(bytes);
}

Task<Result<std::string>> read_to_end(net::Stream& stream) {
    std::string out;
    std::array<char, 1000> buffer;
    for (;;) {
        const auto got = co_await stream.read_some(buffer);
        if (!got) co_return fail(got.error());
        if (*got == 0) co_return out;
        out.append(buffer.data(), *got);
    }
}

struct Pair {
    std::unique_ptr<net::Listener> listener;
    std::unique_ptr<net::Stream> edge;
    std::unique_ptr<net::Stream> cloud;
};

Task<Pair> connected(World& world) {
    auto listener = world.network().host("cloud").listen_tls("hub.example", 8883, nullptr).value();
    auto edge = co_await world.network().host("edge").connect_tls("hub.example", 8883, nullptr);
    auto cloud = co_await listener->accept();
    co_return Pair{std::move(listener), std::move(edge.value()), std::move(cloud.value())};
}
}  // namespace

TEST_CASE("sleepers wake in the order of their times, and time passes only by them") {
    World world;
    std::string order;
    TaskScope scope(world.executor());
    scope.spawn("c", note_after(world.clock(), 3h, "c", order));
    scope.spawn("a", note_after(world.clock(), 1h, "a", order));
    scope.spawn("b", note_after(world.clock(), 2h, "b", order));
    scope.spawn("B", note_after(world.clock(), 2h, "B", order));
    const auto start = world.clock().steady();
    const auto wall = world.clock().wall();
    world.run_for(2h);
    CHECK(order == "abB");
    CHECK(world.clock().steady() - start == 2h);
    CHECK(world.clock().wall() - wall == 2h);
    world.clock().jump_wall(-24h);
    CHECK(world.clock().wall() - wall == -22h);
    world.run_for(1h);
    CHECK(order == "abBc");
    CHECK(format_rfc3339(World().clock().wall()) == "2024-01-01T00:00:00.000Z");
}

TEST_CASE("with_timeout works in virtual time and leaves no timer behind") {
    World world;
    CHECK(world.run(with_timeout<int>(world.clock(), 1h, slow(world.clock(), 10min))).value() == 7);
    CHECK_FALSE(world.clock().next());
    CHECK(world.run(with_timeout<int>(world.clock(), 1h, slow(world.clock(), 2h))).error().code == Errc::timeout);
    CHECK_FALSE(world.clock().next());
}

TEST_CASE("a run that can't end, takes too long or throws says so") {
    World world;
    Event never(world.executor());
    CHECK_THROWS_WITH_AS(world.run(never.wait()), doctest::Contains("stands still"), std::runtime_error);
    CHECK_THROWS_WITH_AS(world.run(world.clock().sleep(2h), 1h), doctest::Contains("limit"), std::runtime_error);
    const auto thrower = []() -> Task<> {
        throw std::logic_error("on purpose");
        co_return;
    };
    CHECK_THROWS_AS(world.run(thrower()), std::logic_error);
}

TEST_CASE("the same seed gives the same chance") {
    SeededRandom one(7);
    SeededRandom same(7);
    SeededRandom other(8);
    const auto first = one.bytes(20);
    CHECK(first == same.bytes(20));
    CHECK(first != other.bytes(20));
    CHECK(first != one.bytes(20));
}

TEST_CASE("bytes arrive whole, in order, in pieces that depend on the seed, after the latency") {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        World world(seed);
        world.network().set_latency(20ms, 10ms);
        const auto start = world.clock().steady();
        auto pair = world.run(connected(world));
        CHECK(world.clock().steady() - start >= 40ms);
        std::string bytes;
        for (int i = 0; i < 200'000; ++i) bytes += std::to_string(i);
        Result<> written = fail(Errc::internal, "not yet");
        TaskScope scope(world.executor());
        scope.spawn("writer", write_and_close(std::move(pair.edge), bytes, written));
        CHECK(world.run(read_to_end(*pair.cloud)).value() == bytes);
        CHECK(written);
        CHECK(pair.cloud->peer().address == "edge:8883");
        pair.cloud->close();
        CHECK(world.network().open_connections() == 0);
    }
}

TEST_CASE("a writer whose peer does not read waits, and close wakes it") {
    World world;
    auto pair = world.run(connected(world));
    Result<> written;
    TaskScope scope(world.executor());
    const auto write = [](net::Stream& stream, Result<>& out) -> Task<> {
        out = co_await stream.write(std::string(1'000'000, 'x'));
    };
    scope.spawn("writer", write(*pair.edge, written));
    world.run_for(1h);
    CHECK(scope.size() == 1);
    pair.edge->close();
    world.settle();
    CHECK(scope.size() == 0);
    CHECK(written.error().code == Errc::closed);
}

TEST_CASE("a partition holds bytes back until it heals, and new connects time out") {
    World world;
    auto& network = world.network();
    auto pair = world.run(connected(world));
    network.partition("edge", "cloud");
    CHECK(world.run(pair.edge->write("hello")).has_value());
    CHECK(world.run(with_timeout<void>(world.clock(), 1h, pair.cloud->wait_readable())).error().code == Errc::timeout);
    CHECK(world.run(network.host("edge").connect_tls("hub.example", 8883, nullptr)).error().code == Errc::timeout);
    CHECK(world.run(network.host("laptop").connect_tls("cloud", 8883, nullptr)).has_value());
    network.heal("cloud", "edge");
    pair.edge.reset();
    CHECK(world.run(read_to_end(*pair.cloud)).value() == "hello");
}

TEST_CASE("a reset ends both sides, a crash the listeners, too") {
    World world;
    auto& network = world.network();
    auto pair = world.run(connected(world));
    network.reset("cloud", "edge");
    std::array<char, 8> buffer;
    CHECK(world.run(pair.edge->read_some(buffer)).error().code == Errc::closed);
    CHECK(world.run(pair.cloud->write("x")).error().code == Errc::closed);

    auto edge = world.run(network.host("edge").connect_tls("hub.example", 8883, nullptr)).value();
    network.crash("cloud");
    CHECK(world.run(edge->read_some(buffer)).error().code == Errc::closed);
    CHECK(world.run(pair.listener->accept()).error().code == Errc::closed);
    CHECK(world.run(network.host("edge").connect_tls("hub.example", 8883, nullptr)).error().code == Errc::unreachable);
}

TEST_CASE("unix sockets belong to their machine, and a new listener takes the path over") {
    World world;
    auto& network = world.network();
    const auto old = network.listen_unix("/run/x.sock", 0600).value();
    const auto listener = network.listen_unix("/run/x.sock", 0600).value();
    auto client = world.run(network.connect_unix("/run/x.sock")).value();
    auto server = world.run(listener->accept()).value();
    CHECK(server->peer().address == "unix");
    CHECK(server->peer().process.has_value());
    CHECK(world.run(network.host("edge").connect_unix("/run/x.sock")).error().code == Errc::unreachable);
    CHECK(network.listen_unix("/" + std::string(107, 'x'), 0600).error().code == Errc::malformed);
    client.reset();
    CHECK(world.run(read_to_end(*server)).value().empty());
    CHECK(world.run(server->write("x")).error().code == Errc::closed);
}

TEST_CASE("plain and TLS don't mix, and a port has one listener") {
    World world;
    auto& network = world.network();
    const auto plain = network.listen_tcp("", 0).value();
    CHECK(network.listen_tcp("", plain->port()).error().code == Errc::conflict);
    CHECK(world.run(network.connect_tls("localhost", plain->port(), nullptr)).error().code == Errc::malformed);
    const auto tls = network.listen_tls("", 0, nullptr).value();
    auto client = world.run(network.connect_tcp("localhost", tls->port())).value();
    CHECK(world.run(world.run(tls->accept()).value()->handshake()).error().code == Errc::malformed);
}

TEST_CASE("a world may end while its tasks wait, with streams and sleeps of their own") {
    World world;
    auto pair = world.run(connected(world));
    const auto hold = [](std::unique_ptr<net::Stream> stream, Clock& clock) -> Task<> {
        co_await clock.sleep(1h);
        (void)co_await stream->wait_readable();
    };
    TaskScope scope(world.executor());
    scope.spawn("sleeper", hold(std::move(pair.edge), world.clock()));
    scope.spawn("reader", hold(std::move(pair.cloud), world.clock()));
    world.settle();
    CHECK(scope.size() == 2);
}
