// Who makes a request: its token, its certificate in TLS, or the certificate that an API proxy in front of the hub has
// seen (edge-hub.md 3.1, 3.5).
//
// Promises: the header `x-ms-edge-clientcert` counts only when the request's token is the API proxy's own; a wrong one
//           is a refusal, never ignored. (Hubs have tokens: there the header says nothing.)
// Bounds:   as the request's headers; a chain of ten certificates. Nobody is asked about for longer than 15 seconds.
#pragma once

#include "codec/http.hpp"
#include "hub/authenticator.hpp"
#include "net/stream.hpp"

#include <string>
#include <vector>

namespace skerry::hub::http {

class Callers {
public:
    // `api_proxy`: "<this device>/<ApiProxyModuleId>". All outlive it.
    Callers(Authenticator& authenticator, const Scope& scope, const CloudLink& link, Clock& clock,
            Result<model::Identity> api_proxy)
        : authenticator_(authenticator), scope_(scope), link_(link), clock_(clock), api_proxy_(std::move(api_proxy)) {}

    // Whether `claimed` makes the request. Errc::unauthorized; unreachable: nobody here knows `claimed`, and the cloud
    // can't be asked now; timeout; full.
    [[nodiscard]] Task<Result<>> admit(model::Identity claimed, const codec::HttpRequest& request,
                                       const net::Peer& peer);
    // Whether the edge hub of the device `edge` below makes it: that must be in our scope, with all that is above it.
    [[nodiscard]] Task<Result<model::Identity>> admit_hub(std::string edge, const codec::HttpRequest& request,
                                                          const net::Peer& peer);

private:
    [[nodiscard]] Task<Result<>> check(Claim claim);
    [[nodiscard]] Task<Result<std::vector<std::string>>> forwarded(std::string header, std::string token);

    Authenticator& authenticator_;
    const Scope& scope_;
    const CloudLink& link_;
    Clock& clock_;
    Result<model::Identity> api_proxy_;
};

}  // namespace skerry::hub::http
