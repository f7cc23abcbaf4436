// What hubs and devices below are served: the identities in their scope, and a way to the cloud's registry for their
// module identities (edge-hub.md 3.3, 3.4).
//
// Promises: an edge hub learns of what is below it, as our scope says, and changes nothing else. What is known here is
//           answered from here; the cloud is asked about one identity once per delay, and not waited for longer than
//           ten seconds. What the cloud says to a registry call goes back as it is.
// Threads:  the loop's.
#pragma once

#include "hub/http/callers.hpp"
#include "hub/http/nested_call.hpp"

namespace skerry::hub::http {

class Nested {
public:
    // All outlive it. `enabled`: NestedEdgeEnabled; without it only the registry of devices directly below is served.
    Nested(Callers& callers, Scope& scope, CloudLink& link, Clock& clock, bool enabled)
        : callers_(callers), scope_(scope), link_(link), clock_(clock), enabled_(enabled) {}

    // /devices/<edge>/modules/$edgeHub/<operation>
    [[nodiscard]] Task<codec::HttpResponse> of_hub(std::string edge, std::string operation, codec::HttpRequest request,
                                                   const net::Peer& peer);
    // /devices/<device>/modules and /devices/<device>/modules/<module>, with an empty `module` for the first
    [[nodiscard]] Task<codec::HttpResponse> of_device(std::string device, std::string module,
                                                      codec::HttpRequest request, const net::Peer& peer);

private:
    [[nodiscard]] Task<codec::HttpResponse> scope_page(model::Identity hub, std::string body);
    [[nodiscard]] Task<codec::HttpResponse> scope_one(model::Identity hub, std::string body);
    [[nodiscard]] Task<codec::HttpResponse> registry(model::Identity hub, RegistryOperation operation,
                                                     codec::HttpRequest request);
    [[nodiscard]] Task<codec::HttpResponse> pass_on(RegistryCall call, std::vector<std::string> chain,
                                                    const codec::HttpRequest& request);
    [[nodiscard]] Task<Result<>> look_up(model::Identity target, std::string above);
    [[nodiscard]] Task<Result<std::vector<std::string>>> chain_for(model::Identity hub,
                                                                   std::vector<std::string> claimed);

    Callers& callers_;
    Scope& scope_;
    CloudLink& link_;
    Clock& clock_;
    bool enabled_;
};

}  // namespace skerry::hub::http
