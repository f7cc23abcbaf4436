#include "agent/logs/source.hpp"

#include <utility>

namespace skerry::agent {

namespace {

using Pace = std::function<Task<>()>;

// Waits for its pace before it reads; what the peer sends meanwhile stays with the system, which holds the peer back.
class PacedStream final : public net::Stream {
public:
    PacedStream(std::unique_ptr<net::Stream> inner, const Pace& pace) : inner_(std::move(inner)), pace_(pace) {}

    Task<Result<>> handshake() override { return inner_->handshake(); }
    Task<Result<>> wait_readable() override { return inner_->wait_readable(); }
    Task<Result<std::size_t>> read_some(std::span<char> buffer) override {
        if (pace_) co_await pace_();
        co_return co_await inner_->read_some(buffer);
    }
    Task<Result<>> write(std::string_view bytes) override { return inner_->write(bytes); }
    void close() override { inner_->close(); }
    const net::Peer& peer() const override { return inner_->peer(); }

private:
    std::unique_ptr<net::Stream> inner_;
    const Pace& pace_;
};

// A network whose connections to this machine's sockets are paced.
class PacedNetwork final : public net::Network {
public:
    PacedNetwork(net::Network& inner, Pace pace) : inner_(inner), pace_(std::move(pace)) {}

    Result<std::unique_ptr<net::Listener>> listen_tcp(const std::string& address, std::uint16_t port) override {
        return inner_.listen_tcp(address, port);
    }
    Result<std::unique_ptr<net::Listener>> listen_tls(const std::string& address, std::uint16_t port,
                                                      std::shared_ptr<net::TlsServer> tls) override {
        return inner_.listen_tls(address, port, std::move(tls));
    }
    Result<std::unique_ptr<net::Listener>> listen_unix(const std::filesystem::path& path, unsigned mode) override {
        return inner_.listen_unix(path, mode);
    }
    Result<std::unique_ptr<net::Listener>> adopt_unix(int descriptor) override { return inner_.adopt_unix(descriptor); }
    Task<Result<std::unique_ptr<net::Stream>>> connect_tcp(std::string host, std::uint16_t port) override {
        return inner_.connect_tcp(std::move(host), port);
    }
    Task<Result<std::unique_ptr<net::Stream>>> connect_tls(std::string host, std::uint16_t port,
                                                           std::shared_ptr<net::TlsClient> tls) override {
        return inner_.connect_tls(std::move(host), port, std::move(tls));
    }
    Task<Result<std::unique_ptr<net::Stream>>> connect_unix(std::filesystem::path path) override {
        auto stream = co_await inner_.connect_unix(std::move(path));
        if (!stream) co_return fail(std::move(stream).error());
        co_return std::make_unique<PacedStream>(std::move(*stream), pace_);
    }

private:
    net::Network& inner_;
    Pace pace_;
};

class DaemonLogs final : public LogSource {
public:
    DaemonLogs(net::Network& network, Clock& clock, std::string uri)
        : network_(network), clock_(clock), uri_(std::move(uri)) {}

    Task<Result<std::vector<std::string>>> modules() override {
        const auto daemon = daemonapi::ManagementClient::create(network_, clock_, uri_);
        if (!daemon) co_return fail(daemon.error());
        const auto modules = co_await (*daemon)->list_modules();
        if (!modules) co_return fail(modules.error());
        std::vector<std::string> names;
        for (const auto& module : *modules) names.push_back(module.name);
        co_return names;
    }

    Task<Result<>> read(std::string module, daemonapi::LogOptions options,
                        std::function<bool(std::string_view)> on_bytes,
                        std::function<Task<>()> before_reading) override {
        PacedNetwork paced(network_, std::move(before_reading));
        const auto daemon = daemonapi::ManagementClient::create(paced, clock_, uri_);
        if (!daemon) co_return fail(daemon.error());
        co_return co_await (*daemon)->logs(std::move(module), std::move(options), std::move(on_bytes));
    }

private:
    net::Network& network_;
    Clock& clock_;
    std::string uri_;
};

}  // namespace

std::unique_ptr<LogSource> make_daemon_logs(net::Network& network, Clock& clock, std::string uri) {
    return std::make_unique<DaemonLogs>(network, clock, std::move(uri));
}

}  // namespace skerry::agent
