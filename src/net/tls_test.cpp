#include "net/tls.hpp"

#include "base/loop.hpp"
#include "base/task_scope.hpp"
#include "base/timeout.hpp"
#include "crypto/crypto.hpp"
#include "net/network.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdlib>
#include <fstream>

using namespace skerry;
using namespace skerry::net;
using namespace std::chrono_literals;

namespace {
struct Identity {
    std::string certificate;
    std::string key;
};

crypto::CertificateRequest request_for(std::string name) {
    crypto::CertificateRequest request;
    request.common_name = std::move(name);
    const auto now = std::chrono::system_clock::now();
    request.not_before = now - 1h;
    request.not_after = now + 24h;
    return request;
}

Identity make_root(const std::string& name) {
    auto request = request_for(name);
    request.is_ca = true;
    const auto key = crypto::generate_private_key_pem(crypto::KeyKind::p256).value();
    return {crypto::self_signed_certificate(request, key).value(), key};
}

// A certificate for "edge.local" and 127.0.0.1.
Identity make_leaf(const Identity& issuer, const std::string& common_name) {
    auto request = request_for(common_name);
    request.dns_names = {"edge.local", "localhost"};
    request.ip_addresses = {"127.0.0.1"};
    request.server_auth = true;
    request.client_auth = true;
    const auto key = crypto::generate_private_key_pem(crypto::KeyKind::p256).value();
    return {crypto::issue_certificate(request, key, issuer.certificate, issuer.key).value(), key};
}

std::shared_ptr<TlsServer> server_with(const Identity& leaf, bool request_client = false) {
    return TlsServer::create({leaf.certificate, leaf.key, request_client}).value();
}

std::shared_ptr<TlsClient> client_trusting(const std::string& roots, const Identity& own = {}) {
    return TlsClient::create({roots, false, own.certificate, own.key}).value();
}

// A loop with a TLS listener on 127.0.0.1 whose connections are echoed.
struct Site {
    Network& network;
    Listener& listener;
    Executor executor;
    std::vector<Peer>& seen;

    Task<Result<std::unique_ptr<Stream>>> connect(std::string host, std::shared_ptr<TlsClient> tls) {
        return network.connect_tls(std::move(host), listener.port(), std::move(tls));
    }
};

Task<> echo(std::unique_ptr<Stream> stream, std::vector<Peer>& seen) {
    if (!co_await stream->handshake()) co_return;
    seen.push_back(stream->peer());
    std::array<char, 5000> buffer;
    for (;;) {
        const auto got = co_await stream->read_some(buffer);
        if (!got || *got == 0) co_return;
        if (!co_await stream->write({buffer.data(), *got})) co_return;
    }
}

Task<> serve_echo(Listener& listener, TaskScope& scope, std::vector<Peer>& seen) {
    for (;;) {
        auto stream = co_await listener.accept();
        if (!stream) co_return;
        scope.spawn("echo", echo(std::move(*stream), seen));
    }
}

void with_site(const std::shared_ptr<TlsServer>& tls, const std::function<Task<>(Site)>& body) {
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        const auto network = make_system_network(loop.executor());
        const auto listener = network->listen_tls("127.0.0.1", 0, tls).value();
        std::vector<Peer> seen;
        TaskScope scope(loop.executor());
        scope.spawn("server", serve_echo(*listener, scope, seen));
        co_await body(Site{*network, *listener, loop.executor(), seen});
        co_await scope.close();
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

Task<Result<std::string>> read_exactly(Stream& stream, std::size_t count) {
    std::string out;
    std::vector<char> buffer(64 * 1024);
    while (out.size() < count) {
        const auto got = co_await stream.read_some(buffer);
        if (!got) co_return fail(got.error());
        if (*got == 0) co_return fail(Errc::closed, "ended after " + std::to_string(out.size()));
        out.append(buffer.data(), *got);
    }
    co_return out;
}

Task<> write_into(Stream& stream, std::string bytes, Result<>& written) { written = co_await stream.write(bytes); }

using Connected = std::optional<Result<std::unique_ptr<Stream>>>;

Task<> connect_into(Network& network, std::uint16_t port, std::shared_ptr<TlsClient> tls, Connected& connected) {
    connected.emplace(co_await network.connect_tls("localhost", port, std::move(tls)));
}

Task<> pass_on(Stream& from, Stream& to) {
    std::array<char, 4096> buffer;
    for (;;) {
        const auto got = co_await from.read_some(buffer);
        if (!got || *got == 0 || !co_await to.write({buffer.data(), *got})) co_return;
    }
}

Task<> read_into(Stream& stream, std::optional<Result<std::size_t>>& got) {
    std::array<char, 16> buffer;
    got = co_await stream.read_some(buffer);
}
}  // namespace

TEST_CASE("what is written over TLS comes back, small or larger than every buffer") {
    const auto root = make_root("root");
    with_site(server_with(make_leaf(root, "one")), [&](Site site) -> Task<> {
        auto stream = co_await site.connect("localhost", client_trusting(root.certificate));
        REQUIRE_MESSAGE(stream, stream.error().text);
        for (const std::size_t size : {1U, 16384U, 5'000'000U}) {
            std::string bytes(size, '\0');
            for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 % 251);
            Result<> written = fail(Errc::internal, "not yet");
            TaskScope writer(site.executor);
            writer.spawn("writer", write_into(**stream, bytes, written));
            CHECK((co_await read_exactly(**stream, size)).value() == bytes);
            co_await writer.idle();
            CHECK(written);
        }
    });
}

TEST_CASE("a server is trusted by name or address in its certificate, under a trusted root only") {
    const auto root = make_root("root");
    const auto stranger = make_root("stranger");
    with_site(server_with(make_leaf(root, "one")), [&](Site site) -> Task<> {
        CHECK((co_await site.connect("127.0.0.1", client_trusting(root.certificate))).has_value());
        CHECK(
            (co_await site.connect("localhost", client_trusting(stranger.certificate + root.certificate))).has_value());

        const auto untrusted = co_await site.connect("localhost", client_trusting(stranger.certificate));
        CHECK(untrusted.error().code == Errc::unauthorized);
        CHECK(untrusted.error().text.find("unable to get local issuer certificate") != std::string::npos);

        const auto by_nobody = co_await site.connect("localhost", client_trusting(""));
        CHECK(by_nobody.error().code == Errc::unauthorized);
    });
}

TEST_CASE("a certificate for another host is refused") {
    const auto root = make_root("root");
    auto request = request_for("other");
    request.dns_names = {"other.example"};
    const auto key = crypto::generate_private_key_pem(crypto::KeyKind::p256).value();
    const auto certificate = crypto::issue_certificate(request, key, root.certificate, root.key).value();
    with_site(server_with({certificate, key}), [&](Site site) -> Task<> {
        for (const auto* host : {"localhost", "127.0.0.1"}) {
            const auto refused = co_await site.connect(host, client_trusting(root.certificate));
            CHECK(refused.error().code == Errc::unauthorized);
            CHECK(refused.error().text.find("mismatch") != std::string::npos);
        }
    });
}

TEST_CASE("the system's store is read when nothing else explains the server's certificate") {
    const auto root = make_root("root");
    const sim::TemporaryFolder folder;
    std::ofstream(folder / "bundle.pem") << root.certificate;
    ::setenv("SSL_CERT_FILE", (folder / "bundle.pem").c_str(), 1);
    with_site(server_with(make_leaf(root, "one")), [&](Site site) -> Task<> {
        const auto trusting = TlsClient::create({.trusted_pem = make_root("other").certificate}).value();
        CHECK((co_await site.connect("localhost", trusting)).has_value());
        CHECK((co_await site.connect("localhost", trusting)).has_value());
        const auto strict = TlsClient::create({.trust_system_store = false}).value();
        CHECK((co_await site.connect("localhost", strict)).error().code == Errc::unauthorized);
    });
    ::unsetenv("SSL_CERT_FILE");
}

TEST_CASE("a replaced certificate is shown to new connections, and old ones go on") {
    const auto old_root = make_root("old root");
    const auto new_root = make_root("new root");
    const auto tls = server_with(make_leaf(old_root, "old"));
    with_site(tls, [&](Site site) -> Task<> {
        auto before = co_await site.connect("localhost", client_trusting(old_root.certificate));
        REQUIRE(before);
        const auto fresh = make_leaf(new_root, "new");
        CHECK_FALSE(tls->replace(fresh.certificate, make_leaf(new_root, "x").key));
        REQUIRE(tls->replace(fresh.certificate, fresh.key));
        CHECK((co_await site.connect("localhost", client_trusting(new_root.certificate))).has_value());
        CHECK((co_await site.connect("localhost", client_trusting(old_root.certificate))).error().code ==
              Errc::unauthorized);
        REQUIRE(co_await (*before)->write("still here"));
        CHECK((co_await read_exactly(**before, 10)).value() == "still here");
    });
}

TEST_CASE("a client's certificate is asked for, accepted unverified and shown") {
    const auto root = make_root("root");
    const auto client_root = make_root("somebody else's root");
    const auto own = make_leaf(client_root, "device-1");
    with_site(server_with(make_leaf(root, "one"), true), [&](Site site) -> Task<> {
        for (const auto& identity : {own, Identity{}}) {
            auto stream = co_await site.connect("localhost", client_trusting(root.certificate, identity));
            REQUIRE(stream);
            REQUIRE(co_await (*stream)->write("x"));
            CHECK((co_await read_exactly(**stream, 1)).has_value());
        }
        REQUIRE(site.seen.size() == 2);
        REQUIRE(site.seen[0].certificates_pem.size() == 1);
        CHECK(crypto::parse_certificate(site.seen[0].certificates_pem[0])->common_name == "device-1");
        CHECK(site.seen[1].certificates_pem.empty());
    });
}

TEST_CASE("an end without close_notify reads as the end, after the last bytes") {
    const auto root = make_root("root");
    with_site(server_with(make_leaf(root, "one")), [&](Site site) -> Task<> {
        // A relay that can cut the line without TLS noticing.
        const auto front = site.network.listen_tcp("127.0.0.1", 0).value();
        Connected connected;
        TaskScope client(site.executor);
        client.spawn("client", connect_into(site.network, front->port(), client_trusting(root.certificate), connected));
        auto near = (co_await front->accept()).value();
        auto far = (co_await site.network.connect_tcp("127.0.0.1", site.listener.port())).value();
        TaskScope relay(site.executor);
        relay.spawn("there", pass_on(*near, *far));
        relay.spawn("back", pass_on(*far, *near));
        co_await client.idle();
        auto& stream = *connected->value();
        REQUIRE(co_await stream.write("hello"));
        CHECK((co_await read_exactly(stream, 5)).value() == "hello");
        near->close();
        std::array<char, 16> buffer;
        CHECK((co_await stream.read_some(buffer)).value() == 0);
        co_await relay.close();
    });
}

TEST_CASE("an end with close_notify reads as the end, after the last bytes") {
    const auto root = make_root("root");
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        const auto network = make_system_network(loop.executor());
        const auto listener = network->listen_tls("127.0.0.1", 0, server_with(make_leaf(root, "one"))).value();
        TaskScope scope(loop.executor());
        Connected connected;
        scope.spawn("client", connect_into(*network, listener->port(), client_trusting(root.certificate), connected));
        auto server = co_await listener->accept();
        REQUIRE(co_await (*server)->handshake());
        co_await scope.idle();
        REQUIRE(co_await (**connected)->write("bye"));
        (**connected)->close();
        REQUIRE(co_await (*server)->wait_readable());
        CHECK((co_await read_exactly(**server, 3)).value() == "bye");
        std::array<char, 16> buffer;
        CHECK((co_await (*server)->read_some(buffer)).value() == 0);
        CHECK((co_await (*server)->read_some(buffer)).value() == 0);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("a client that is not TLS, or goes away, fails the handshake and nothing else") {
    const auto root = make_root("root");
    Loop loop;
    const auto main = [&](Event&) -> Task<int> {
        const auto network = make_system_network(loop.executor());
        const auto listener = network->listen_tls("127.0.0.1", 0, server_with(make_leaf(root, "one"))).value();
        auto plain = co_await network->connect_tcp("127.0.0.1", listener->port());
        REQUIRE(co_await (*plain)->write("GET / HTTP/1.1\r\n\r\n"));
        auto server = co_await listener->accept();
        const auto shaken = co_await (*server)->handshake();
        CHECK(shaken.error().code == Errc::malformed);
        CHECK(shaken.error().text.find("http request") != std::string::npos);

        plain = co_await network->connect_tcp("127.0.0.1", listener->port());
        (*plain)->close();
        server = co_await listener->accept();
        CHECK((co_await (*server)->handshake()).error().code == Errc::closed);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}

TEST_CASE("closing a TLS stream wakes its reader and its writer with Errc::closed; a scope unwinds them") {
    const auto root = make_root("root");
    with_site(server_with(make_leaf(root, "one")), [&](Site site) -> Task<> {
        auto stream = co_await site.connect("localhost", client_trusting(root.certificate));
        REQUIRE(stream);
        std::optional<Result<std::size_t>> got;
        Result<> written;
        TaskScope tasks(site.executor);
        tasks.spawn("reader", read_into(**stream, got));
        // The echo blocks on us, who don't read on, so the writer must wait in the end.
        tasks.spawn("writer", write_into(**stream, std::string(50'000'000, 'x'), written));
        SystemClock clock;
        co_await clock.sleep(20ms);
        (*stream)->close();
        co_await tasks.idle();
        CHECK(written.error().code == Errc::closed);

        auto second = co_await site.connect("localhost", client_trusting(root.certificate));
        std::optional<Result<std::size_t>> never;
        TaskScope unwound(site.executor);
        unwound.spawn("reader", read_into(**second, never));
        co_await clock.sleep(1ms);
        co_await unwound.close();
        CHECK_FALSE(never);

        std::optional<Result<std::size_t>> woken;
        TaskScope reader(site.executor);
        reader.spawn("reader", read_into(**second, woken));
        co_await clock.sleep(1ms);
        second->reset();
        co_await reader.idle();
        CHECK(woken->error().code == Errc::closed);
    });
}

TEST_CASE("keys and certificates that don't fit are refused with a reason") {
    const auto root = make_root("root");
    CHECK(TlsServer::create({"", "", false}).error().code == Errc::malformed);
    CHECK(TlsServer::create({root.certificate, make_root("x").key, false}).error().text.find("does not fit") !=
          std::string::npos);
    CHECK(TlsServer::create({root.certificate, "no key", false}).error().text.find("private key") != std::string::npos);
    CHECK(TlsClient::create({.trusted_pem = "no certificate"}).error().code == Errc::malformed);
}
