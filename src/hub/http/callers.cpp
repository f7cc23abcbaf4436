#include "hub/http/callers.hpp"

#include "base/encoding.hpp"
#include "base/timeout.hpp"
#include "crypto/crypto.hpp"

#include <fmt/format.h>

namespace skerry::hub::http {

namespace {

constexpr std::size_t longest_chain = 10;
constexpr Duration longest_question = std::chrono::seconds(15);

std::string token_of(const codec::HttpRequest& request) {
    return std::string(request.headers.find("Authorization").value_or(""));
}

// URL-encoded PEM, the client's certificate first.
Result<std::vector<std::string>> read_forwarded(std::string_view header) {
    const auto pem = percent_decode(header);
    if (!pem) return fail(Errc::unauthorized, "x-ms-edge-clientcert has a broken escape");
    auto chain = crypto::split_certificates(*pem);
    if (!chain || chain->empty() || chain->size() > longest_chain)
        return fail(Errc::unauthorized, "x-ms-edge-clientcert holds no certificate, or too many");
    return chain;
}

}  // namespace

Task<Result<>> Callers::check(Claim claim) {
    const auto identity = claim.identity;
    const auto admitted =
        co_await with_timeout<Admission>(clock_, longest_question, authenticator_.authenticate(std::move(claim)));
    if (admitted) co_return Result<>{};
    if (admitted.error().code == Errc::timeout)
        co_return fail(admitted.error().while_doing("asking the cloud about " + identity.id()));
    if (!scope_.find(identity) && !link_.connected())
        co_return fail(Errc::unreachable,
                       fmt::format("{} is not known here, and the cloud can't be asked now", identity.id()));
    co_return fail(admitted.error());
}

Task<Result<std::vector<std::string>>> Callers::forwarded(std::string header, std::string token) {
    if (!api_proxy_) co_return fail(Errc::unauthorized, "ApiProxyModuleId is no module's name");
    Claim claim{.identity = *api_proxy_, .token = std::move(token)};
    const auto proxy =
        co_await with_timeout<Admission>(clock_, longest_question, authenticator_.authenticate(std::move(claim)));
    if (!proxy)
        co_return fail(Errc::unauthorized, fmt::format("x-ms-edge-clientcert is believed to {} only: {}",
                                                       api_proxy_->id(), proxy.error().text));
    co_return read_forwarded(header);
}

Task<Result<>> Callers::admit(model::Identity claimed, const codec::HttpRequest& request, const net::Peer& peer) {
    Claim claim{.identity = std::move(claimed), .token = token_of(request), .certificates_pem = peer.certificates_pem};
    const auto header = request.headers.find("x-ms-edge-clientcert");
    if (header && !header->empty()) {
        auto seen = co_await forwarded(std::string(*header), std::exchange(claim.token, {}));
        if (!seen) co_return fail(seen.error());
        claim.certificates_pem = std::move(*seen);
    }
    co_return co_await check(std::move(claim));
}

// A hub acts for itself first: whether it may is known here, whatever AuthenticationMode says of other clients.
Task<Result<model::Identity>> Callers::admit_hub(std::string edge, const codec::HttpRequest& request,
                                                 const net::Peer& peer) {
    auto hub = model::Identity::module(edge, "$edgeHub");
    if (!hub) co_return fail(Errc::unauthorized, hub.error().text);
    Claim claim{.identity = *hub,
                .auth_chain = {hub->id(), std::move(edge)},
                .token = token_of(request),
                .certificates_pem = peer.certificates_pem};
    if (const auto admitted = co_await check(std::move(claim)); !admitted) co_return fail(admitted.error());
    co_return std::move(*hub);
}

}  // namespace skerry::hub::http
