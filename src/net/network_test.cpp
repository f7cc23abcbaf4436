#include "net/network.hpp"

#include "base/loop.hpp"
#include "base/task_scope.hpp"
#include "base/timeout.hpp"
#include "net/address.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <fstream>

using namespace skerry;
using namespace skerry::net;
using namespace std::chrono_literals;

namespace {

// Runs `body` on a loop with the system's sockets.
void with_network(const std::function<Task<>(Network&, Executor)>& body) {
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        const auto network = make_system_network(loop.executor());
        co_await body(*network, loop.executor());
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

Task<Result<std::string>> read_exactly(Stream& stream, std::size_t count) {
    std::string out;
    std::array<char, 4096> buffer;
    while (out.size() < count) {
        const auto got =
            co_await stream.read_some(std::span(buffer).first(std::min(buffer.size(), count - out.size())));
        if (!got) co_return fail(got.error());
        if (*got == 0) co_return fail(Errc::closed, "ended after " + std::to_string(out.size()));
        out.append(buffer.data(), *got);
    }
    co_return out;
}

Task<> echo(std::unique_ptr<Stream> stream) {
    std::array<char, 4096> buffer;
    for (;;) {
        const auto got = co_await stream->read_some(buffer);
        if (!got || *got == 0) co_return;
        if (!co_await stream->write({buffer.data(), *got})) co_return;
    }
}

Task<> serve_echo(Listener& listener, TaskScope& scope) {
    for (;;) {
        auto stream = co_await listener.accept();
        if (!stream) co_return;
        scope.spawn("echo", echo(std::move(*stream)));
    }
}

Task<> write_into(Stream& stream, std::string bytes, Result<>& written) { written = co_await stream.write(bytes); }

Task<> read_into(Stream& stream, std::optional<Result<std::size_t>>& got) {
    std::array<char, 16> buffer;
    got = co_await stream.read_some(buffer);
}

// Both ends of a TCP connection.
struct Pair {
    std::unique_ptr<Stream> client;
    std::unique_ptr<Stream> server;
};
Task<Pair> connected_pair(Network& network) {
    auto listener = network.listen_tcp("127.0.0.1", 0);
    REQUIRE(listener);
    auto client = co_await network.connect_tcp("127.0.0.1", (*listener)->port());
    REQUIRE(client);
    auto server = co_await (*listener)->accept();
    REQUIRE(server);
    co_return Pair{std::move(*client), std::move(*server)};
}
}  // namespace

TEST_CASE("what is written over TCP comes back from an echo, whatever its size") {
    with_network([](Network& network, Executor executor) -> Task<> {
        auto listener = network.listen_tcp("127.0.0.1", 0);
        REQUIRE(listener);
        CHECK((*listener)->port() != 0);
        TaskScope scope(executor);
        scope.spawn("server", serve_echo(**listener, scope));
        for (const auto* host : {"127.0.0.1", "localhost"}) {
            auto stream = co_await network.connect_tcp(host, (*listener)->port());
            REQUIRE(stream);
            CHECK((*stream)->peer().address.find(std::to_string((*listener)->port())) != std::string::npos);
            // More than the sockets' buffers hold: writer and reader must make progress side by side.
            const std::string big(20'000'000, 'x');
            Result<> written = fail(Errc::internal, "not yet");
            TaskScope writer(executor);
            writer.spawn("writer", write_into(**stream, big, written));
            CHECK((co_await read_exactly(**stream, big.size())).value() == big);
            co_await writer.idle();
            CHECK(written);
        }
        co_await scope.close();
    });
}

TEST_CASE("an empty address listens for IPv4 and IPv6") {
    with_network([](Network& network, Executor executor) -> Task<> {
        auto listener = network.listen_tcp("", 0);
        REQUIRE(listener);
        TaskScope scope(executor);
        scope.spawn("server", serve_echo(**listener, scope));
        for (const auto* host : {"127.0.0.1", "::1", "[::1]"}) {
            auto stream = co_await network.connect_tcp(host, (*listener)->port());
            REQUIRE_MESSAGE(stream, host);
            REQUIRE(co_await (*stream)->write("hello"));
            CHECK((co_await read_exactly(**stream, 5)).value() == "hello");
        }
        co_await scope.close();
    });
}

TEST_CASE("a port that is taken, a name as address and nobody listening are told apart") {
    with_network([](Network& network, Executor) -> Task<> {
        auto listener = network.listen_tcp("127.0.0.1", 0);
        REQUIRE(listener);
        const auto port = (*listener)->port();
        CHECK(network.listen_tcp("127.0.0.1", port).error().code == Errc::conflict);
        CHECK(network.listen_tcp("example.invalid", 0).error().code == Errc::malformed);
        (*listener)->close();
        CHECK((co_await (*listener)->accept()).error().code == Errc::closed);
        const auto refused = co_await network.connect_tcp("127.0.0.1", port);
        CHECK(refused.error().code == Errc::unreachable);
        CHECK(refused.error().text.find("127.0.0.1:" + std::to_string(port)) != std::string::npos);
    });
}

TEST_CASE("closing a stream wakes its reader and its writer with Errc::closed") {
    with_network([](Network& network, Executor executor) -> Task<> {
        auto pair = co_await connected_pair(network);
        std::optional<Result<std::size_t>> got;
        Result<> written;
        TaskScope scope(executor);
        scope.spawn("reader", read_into(*pair.client, got));
        scope.spawn("writer", write_into(*pair.client, std::string(50'000'000, 'x'), written));
        SystemClock clock;
        co_await clock.sleep(1ms);
        CHECK_FALSE(got);
        pair.client->close();
        pair.client->close();
        co_await scope.idle();
        REQUIRE(got);
        CHECK(got->error().code == Errc::closed);
        CHECK(written.error().code == Errc::closed);
    });
}

TEST_CASE("a stream may be destroyed under its reader") {
    with_network([](Network& network, Executor executor) -> Task<> {
        auto pair = co_await connected_pair(network);
        std::optional<Result<std::size_t>> got;
        TaskScope scope(executor);
        scope.spawn("reader", read_into(*pair.client, got));
        SystemClock clock;
        co_await clock.sleep(1ms);
        pair.client.reset();
        co_await scope.idle();
        CHECK(got->error().code == Errc::closed);
    });
}

TEST_CASE("closing the scope ends every kind of wait") {
    with_network([](Network& network, Executor executor) -> Task<> {
        auto pair = co_await connected_pair(network);
        auto listener = network.listen_tcp("127.0.0.1", 0);
        std::optional<Result<std::size_t>> got;
        Result<> written;
        TaskScope scope(executor);
        scope.spawn("reader", read_into(*pair.client, got));
        scope.spawn("writer", write_into(*pair.client, std::string(50'000'000, 'x'), written));
        scope.spawn("server", serve_echo(**listener, scope));
        SystemClock clock;
        co_await clock.sleep(1ms);
        co_await scope.close();
        CHECK_FALSE(got);
        CHECK(written);  // never assigned: the task was unwound
        // The streams are still good.
        pair.server->close();
    });
}

TEST_CASE("a peer that goes away in the middle of a write fails the write") {
    with_network([](Network& network, Executor executor) -> Task<> {
        auto pair = co_await connected_pair(network);
        Result<> written;
        TaskScope scope(executor);
        scope.spawn("writer", write_into(*pair.client, std::string(50'000'000, 'x'), written));
        CHECK((co_await read_exactly(*pair.server, 100'000)).value().size() == 100'000);
        pair.server.reset();
        co_await scope.idle();
        CHECK(written.error().code == Errc::closed);
    });
}

TEST_CASE("the end of the peer's bytes reads as 0, after the last of them") {
    with_network([](Network& network, Executor) -> Task<> {
        auto pair = co_await connected_pair(network);
        REQUIRE(co_await pair.client->write("bye"));
        pair.client->close();
        REQUIRE(co_await pair.server->wait_readable());
        CHECK((co_await read_exactly(*pair.server, 3)).value() == "bye");
        std::array<char, 16> buffer;
        CHECK((co_await pair.server->read_some(buffer)).value() == 0);
    });
}

TEST_CASE("a connection with endless data leaves the loop to others, too") {
    with_network([](Network& network, Executor executor) -> Task<> {
        auto pair = co_await connected_pair(network);
        Result<> written;
        TaskScope scope(executor);
        scope.spawn("writer", write_into(*pair.client, std::string(2'000'000, 'x'), written));
        scope.spawn("greedy reader", [](Stream& stream) -> Task<> {
            char one = 0;
            while (co_await stream.read_some({&one, 1})) {}
        }(*pair.server));
        SystemClock clock;
        co_await clock.sleep(1ms);
        const auto read_alone = written.has_value() && scope.size() == 0;
        CHECK_FALSE(read_alone);
        co_await scope.close();
    });
}

TEST_CASE("a unix socket knows who calls, has its mode, and replaces a stale file") {
    with_network([](Network& network, Executor executor) -> Task<> {
        const sim::TemporaryFolder folder;
        const auto path = folder.path() / "x.sock";
        {
            auto stale = network.listen_unix(path, 0666);
            REQUIRE(stale);
        }
        CHECK((co_await network.connect_unix(path)).error().code == Errc::unreachable);
        auto listener = network.listen_unix(path, 0660);
        REQUIRE(listener);
        struct stat status{};
        REQUIRE(::stat(path.c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0660);
        auto client = co_await network.connect_unix(path);
        REQUIRE(client);
        auto server = co_await (*listener)->accept();
        REQUIRE(server);
        CHECK((*server)->peer().address == "unix");
        CHECK((*server)->peer().process == ::getpid());
        CHECK((*server)->peer().user == ::getuid());
        TaskScope scope(executor);
        scope.spawn("echo", echo(std::move(*server)));
        REQUIRE(co_await (*client)->write("hello"));
        CHECK((co_await read_exactly(**client, 5)).value() == "hello");
        co_await scope.close();
    });
}

TEST_CASE("a socket path that is too long is refused with the limit, and a plain file is not replaced") {
    with_network([](Network& network, Executor) -> Task<> {
        const sim::TemporaryFolder folder;
        const auto too_long = "/tmp/" + std::string(103, 'x');
        CHECK(too_long.size() == 108);
        for (const auto& error :
             {network.listen_unix(too_long, 0600).error(), (co_await network.connect_unix(too_long)).error()}) {
            CHECK(error.code == Errc::malformed);
            CHECK(error.text.find("107") != std::string::npos);
        }
        CHECK(unix_address("/tmp/" + std::string(102, 'x')));
        const auto plain = folder.path() / "plain";
        std::ofstream(plain) << "precious";
        CHECK(network.listen_unix(plain, 0600).error().code == Errc::conflict);
        CHECK(std::filesystem::file_size(plain) == 8);
        CHECK((co_await network.connect_unix(folder.path() / "none")).error().code == Errc::unreachable);
    });
}

TEST_CASE("a listening socket is adopted, and nothing else is") {
    with_network([](Network& network, Executor) -> Task<> {
        const sim::TemporaryFolder folder;
        const auto path = folder.path() / "adopted.sock";
        const int listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto address = unix_address(path);
        REQUIRE(::bind(listening, address->raw(), address->size) == 0);
        REQUIRE(::listen(listening, 4) == 0);
        auto listener = network.adopt_unix(listening);
        REQUIRE(listener);
        auto client = co_await network.connect_unix(path);
        REQUIRE(client);
        CHECK((co_await (*listener)->accept()).has_value());
        const int not_listening = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(network.adopt_unix(not_listening).error().code == Errc::malformed);
        CHECK(::fcntl(not_listening, F_GETFD) == -1);
    });
}

// The sanitizer checks objects through a pipe of its own, and takes an object for broken when it gets none.
#if __has_feature(address_sanitizer)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

TEST_CASE("accepting goes on after the process ran out of descriptors" * doctest::skip(is_sanitized)) {
    with_network([](Network& network, Executor) -> Task<> {
        auto listener = network.listen_tcp("127.0.0.1", 0);
        REQUIRE(listener);
        auto client = co_await network.connect_tcp("127.0.0.1", (*listener)->port());
        REQUIRE(client);
        rlimit before{};
        ::getrlimit(RLIMIT_NOFILE, &before);
        rlimit none = before;
        none.rlim_cur = 3;
        ::setrlimit(RLIMIT_NOFILE, &none);
        SystemClock clock;
        const auto starved = co_await with_timeout<std::unique_ptr<Stream>>(clock, 20ms, (*listener)->accept());
        ::setrlimit(RLIMIT_NOFILE, &before);
        CHECK(starved.error().code == Errc::timeout);
        CHECK((co_await (*listener)->accept()).has_value());
    });
}

TEST_CASE("a name that nobody knows is unreachable") {
    with_network([](Network& network, Executor) -> Task<> {
        const auto connected = co_await network.connect_tcp("no such name", 1);
        CHECK(connected.error().code == Errc::unreachable);
        CHECK(connected.error().text.find("no such name") != std::string::npos);
    });
}

TEST_CASE("a server may have as many sockets as its hard limit allows, whatever its soft one was") {
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    rlimit few = before;
    few.rlim_cur = 256;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    CHECK(allow_most_sockets() == before.rlim_max);
    rlimit after{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &after) == 0);
    CHECK(after.rlim_cur == before.rlim_max);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}
