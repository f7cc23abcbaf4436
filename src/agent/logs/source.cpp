#include "agent/logs/source.hpp"

#include <utility>

namespace skerry::agent {

namespace {

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
        for (const auto& module : modules->modules) names.push_back(module.name);
        co_return names;
    }

    Task<Result<>> read(std::string module, daemonapi::LogOptions options, Taker take) override {
        const auto daemon = daemonapi::ManagementClient::create(network_, clock_, uri_);
        if (!daemon) co_return fail(daemon.error());
        co_return co_await (*daemon)->relay_logs(std::move(module), std::move(options), std::move(take));
    }

    Task<Result<>> read_bundle(daemonapi::SupportBundleOptions options, Taker take) override {
        const auto daemon = daemonapi::ManagementClient::create(network_, clock_, uri_);
        if (!daemon) co_return fail(daemon.error());
        co_return co_await (*daemon)->relay_support_bundle(std::move(options), std::move(take));
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
