// The workload API (agent-and-daemon.md 5.4): sign, encrypt, decrypt, certificates, trust bundle.
//
// Promises: a module's socket gives that module's identity only, and only to processes of that module; the common
//           socket gives the identity of the module that the calling process belongs to. Nothing here asks the cloud
//           for a module that was known before.
#pragma once

#include "daemon/edge_ca.hpp"
#include "daemon/http_api.hpp"
#include "daemon/identities.hpp"
#include "daemon/keys.hpp"
#include "daemon/seldom.hpp"
#include "engine/engine.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::daemon {

// "edgeHub" is the module of the identity "$edgeHub".
[[nodiscard]] std::string identity_of_module(std::string_view module);
[[nodiscard]] std::string module_of_identity(std::string_view identity);

class WorkloadApi {
public:
    struct Device {
        std::string hub_host;
        std::string device_id;
        std::string trust_bundle;  // PEM of the configuration, may be empty
    };

    WorkloadApi(engine::Engine& engine, Identities& identities, const Keys& keys, EdgeCa& ca, Device device,
                Clock& clock)
        : engine_(engine), identities_(identities), keys_(keys), ca_(ca), device_(std::move(device)), refused_(clock) {}

    // `bound` is the module whose socket it is; nullopt on the common socket.
    [[nodiscard]] Task<codec::HttpResponse> handle(codec::HttpRequest request, std::optional<pid_t> caller,
                                                   std::optional<std::string> bound);

    [[nodiscard]] std::string trust_bundle() const { return ca_.bundle() + device_.trust_bundle; }
    [[nodiscard]] bool is_agent(pid_t) const { return false; }  // no route here is the agent's alone

    Task<codec::HttpResponse> list_modules(Call call);
    Task<codec::HttpResponse> sign(Call call);
    Task<codec::HttpResponse> encrypt(Call call);
    Task<codec::HttpResponse> decrypt(Call call);
    Task<codec::HttpResponse> identity_certificate(Call call);
    Task<codec::HttpResponse> server_certificate(Call call);
    Task<codec::HttpResponse> get_trust_bundle(Call call);
    Task<codec::HttpResponse> manifest_trust_bundle(Call call);

private:
    engine::Engine& engine_;
    Identities& identities_;
    const Keys& keys_;
    EdgeCa& ca_;
    Device device_;
    Seldom refused_;
};

}  // namespace skerry::daemon
