// How a module finds its hub, its key and its trust (agent-and-daemon.md 5.6, iot-hub-wire.md 3.5).
#include "base/backoff.hpp"
#include "base/encoding.hpp"
#include "base/log.hpp"
#include "daemonapi/workload_client.hpp"
#include "iothub/sas.hpp"
#include "sdk/module_client.hpp"

#include <chrono>
#include <optional>
#include <utility>

namespace skerry::sdk {

using namespace std::chrono_literals;

namespace {
constexpr std::string_view client_type = "skerry-sdk";
constexpr Duration longest_wait_for_daemon = 60s;

struct Variables {
    model::Identity identity;
    std::string hub_host;
    std::string gateway_host;  // empty: the hub itself
    std::string workload_uri;
    std::string generation_id;
};

Result<Variables> read_variables(const daemonapi::Environment& environment) {
    auto device = environment.require("IOTEDGE_DEVICEID");
    if (!device) return fail(device.error());
    auto module = environment.require("IOTEDGE_MODULEID");
    if (!module) return fail(module.error());
    auto identity = model::Identity::module(std::move(*device), std::move(*module));
    if (!identity) return fail(identity.error().while_doing("reading IOTEDGE_DEVICEID and IOTEDGE_MODULEID"));
    auto hub = environment.require("IOTEDGE_IOTHUBHOSTNAME");
    if (!hub) return fail(hub.error());
    auto workload = environment.require("IOTEDGE_WORKLOADURI");
    if (!workload) return fail(workload.error());
    auto generation = environment.require("IOTEDGE_MODULEGENERATIONID");
    if (!generation) return fail(generation.error());
    const auto scheme = environment.value_or("IOTEDGE_AUTHSCHEME", "sasToken");
    if (!equals_ignoring_case(scheme, "sasToken"))
        return fail(Errc::unsupported, "IOTEDGE_AUTHSCHEME is '" + scheme + "'; only sasToken is supported");
    return Variables{std::move(*identity), std::move(*hub), environment.value_or("IOTEDGE_GATEWAYHOSTNAME", ""),
                     std::move(*workload), std::move(*generation)};
}

Result<Connection> connect_with(Platform platform, model::Identity identity, const std::string& hub_host,
                                const std::string& gateway_host, const std::string& trusted_pem,
                                iothub::Signer signer) {
    // A gateway is trusted through the bundle; reading the system's store costs megabytes for nothing.
    const bool needs_system_store = gateway_host.empty() || trusted_pem.empty();
    auto tls = net::TlsClient::create({.trusted_pem = trusted_pem,
                                       .trust_system_store = needs_system_store,
                                       .certificate_chain_pem = {},
                                       .private_key_pem = {}});
    if (!tls) return fail(tls.error().while_doing("reading the trusted certificates"));
    auto credentials = std::make_shared<iothub::Credentials>(hub_host, identity, std::move(signer), platform.clock);
    iothub::DeviceClientOptions options{.dial_host = gateway_host.empty() ? hub_host : gateway_host,
                                        .tls = std::move(*tls),
                                        .identity = std::move(identity),
                                        .client_type = std::string(client_type),
                                        .auth_chain = {},
                                        .first_backoff = 100ms,
                                        .longest_backoff = 5s,
                                        .connector = {}};
    return Connection{std::move(options), std::move(credentials)};
}

Task<Result<std::string>> fetch_trust_bundle(Platform platform, std::shared_ptr<daemonapi::WorkloadClient> workload) {
    const auto give_up = platform.clock.steady() + longest_wait_for_daemon;
    Backoff backoff(platform.random, 100ms, 5s);
    for (;;) {
        auto bundle = co_await workload->trust_bundle();
        if (bundle || bundle.error().code == Errc::malformed || platform.clock.steady() >= give_up) co_return bundle;
        if (bundle.error().code == Errc::not_found) co_return std::string();  // a device without one
        log::warn("no trust bundle yet: {}", bundle.error().text);
        co_await platform.clock.sleep(backoff.next());
    }
}

Task<Result<Connection>> connection_of_module(Platform platform, Variables variables) {
    auto created = daemonapi::WorkloadClient::create(platform.network, platform.clock, variables.workload_uri,
                                                     variables.identity.module_id(), variables.generation_id);
    if (!created) co_return fail(created.error().while_doing("reading IOTEDGE_WORKLOADURI"));
    const std::shared_ptr<daemonapi::WorkloadClient> workload = std::move(*created);
    const auto bundle = co_await fetch_trust_bundle(platform, workload);
    if (!bundle) co_return fail(bundle.error().while_doing("fetching the trust bundle from the daemon"));
    co_return connect_with(platform, std::move(variables.identity), variables.hub_host, variables.gateway_host, *bundle,
                           [workload](std::string text) { return workload->sign(std::move(text)); });
}

Result<Connection> connection_of_developer(Platform platform, const std::string& text,
                                           const std::optional<std::string>& ca_file) {
    auto parsed = iothub::parse_connection_string(text);
    if (!parsed) return fail(parsed.error().while_doing("reading EdgeHubConnectionString"));
    auto identity = model::Identity::module(parsed->device_id, parsed->module_id);
    if (!identity) return fail(identity.error().while_doing("reading EdgeHubConnectionString"));
    if (parsed->key.empty())
        return fail(Errc::unsupported, "EdgeHubConnectionString has no SharedAccessKey; only keys are supported");
    std::string trusted;
    if (ca_file && !ca_file->empty()) {
        auto read = storage::read_file(platform.files, *ca_file);
        if (!read) return fail(read.error().while_doing("reading EdgeModuleCACertificateFile"));
        trusted = std::move(*read);
    }
    return connect_with(platform, std::move(*identity), parsed->host, parsed->gateway_host, trusted,
                        iothub::key_signer(parsed->key));
}
}  // namespace

Task<Result<Connection>> connection_from_environment(Platform platform, daemonapi::Environment environment) {
    if (const auto text = environment.find("EdgeHubConnectionString"); text && !text->empty())
        co_return connection_of_developer(platform, *text, environment.find("EdgeModuleCACertificateFile"));
    auto variables = read_variables(environment);
    if (!variables) co_return fail(variables.error());
    co_return co_await connection_of_module(platform, std::move(*variables));
}

}  // namespace skerry::sdk
