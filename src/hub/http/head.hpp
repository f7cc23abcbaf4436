// The HTTP head: what modules, and hubs and devices below, call over HTTPS (edge-hub.md 3). Translates, and has no
// rules of its own.
//
// Promises: nobody is served who does not prove who it is, metrics excepted. A direct method goes to a client that is
//           connected here, never through the cloud. Every failure is a status and a JSON text that says why.
// Threads:  the loop's.
#pragma once

#include "codec/http.hpp"
#include "hub/http/callers.hpp"
#include "hub/http/nested.hpp"
#include "hub/methods.hpp"
#include "hub/sessions.hpp"
#include "net/stream.hpp"

#include <functional>
#include <string_view>

namespace skerry::hub::http {

// What the head uses of the hub; all outlive it.
struct Services {
    Authenticator& authenticator;
    Sessions& sessions;
    Methods& methods;
    Scope& scope;
    CloudLink& link;
    Clock& clock;
    const model::Identity& own;
    std::string api_proxy;  // ApiProxyModuleId
    bool nested{true};      // NestedEdgeEnabled
    std::function<codec::HttpResponse(const codec::HttpRequest&)> metrics_page;
};

class Head {
public:
    explicit Head(Services services);

    [[nodiscard]] Task<codec::HttpResponse> handle(codec::HttpRequest request, const net::Peer& peer);

private:
    [[nodiscard]] Task<codec::HttpResponse> dispatch(codec::HttpRequest request, const net::Peer& peer);
    [[nodiscard]] Task<codec::HttpResponse> on_twins(codec::HttpRequest request, std::vector<std::string> path,
                                                     const net::Peer& peer);
    [[nodiscard]] Task<codec::HttpResponse> invoke(codec::HttpRequest request, Result<model::Identity> target,
                                                   std::string_view target_name, const net::Peer& peer);

    Services services_;
    Callers callers_;
    Nested nested_;
};

}  // namespace skerry::hub::http
