#include "engine/registry/registry.hpp"

#include "base/encoding.hpp"
#include "base/timeout.hpp"
#include "engine/moby/fields.hpp"
#include "net/tls.hpp"

#include <arpa/inet.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace skerry::engine::registry {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t largest_manifest = 4 * 1024 * 1024;
constexpr std::size_t largest_answer = 64 * 1024;
constexpr Duration request_limit = 30s;
constexpr int most_redirects = 5;
constexpr std::string_view manifests =
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

bool is_redirect(unsigned status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Errc code_of(unsigned status) {
    if (status == 401 || status == 403) return Errc::unauthorized;
    if (status == 404) return Errc::not_found;
    if (status == 408 || status == 429 || status >= 500) return Errc::unreachable;
    return Errc::malformed;
}

// "127.0.0.0/8" holds "127.0.0.1".
bool in_range(const std::string& address, std::string_view range) {
    const auto slash = range.find('/');
    if (slash == range.npos) return false;
    int bits = -1;
    const auto text = range.substr(slash + 1);
    std::from_chars(text.data(), text.data() + text.size(), bits);
    const std::string base(range.substr(0, slash));
    for (const int family : {AF_INET, AF_INET6}) {
        std::array<unsigned char, 16> one{};
        std::array<unsigned char, 16> other{};
        if (::inet_pton(family, address.c_str(), one.data()) != 1 ||
            ::inet_pton(family, base.c_str(), other.data()) != 1)
            continue;
        const int width = family == AF_INET ? 32 : 128;
        if (bits < 0 || bits > width) return false;
        const auto bit_at = [](const auto& bytes, int at) {
            return bytes[static_cast<std::size_t>(at / 8)] >> (7 - at % 8) & 1;
        };
        for (int at = 0; at < bits; ++at)
            if (bit_at(one, at) != bit_at(other, at)) return false;
        return true;
    }
    return false;
}
}  // namespace

bool is_insecure(const std::string& registry, const std::vector<std::string>& ranges,
                 const std::vector<std::string>& names) {
    if (std::ranges::find(names, registry) != names.end()) return true;
    const auto address = parse_authority(registry, 443);
    if (!address) return false;
    const auto host = address->host == "localhost" ? std::string("127.0.0.1") : address->host;
    return std::ranges::any_of(ranges, [&](const std::string& range) { return in_range(host, range); });
}

Registry::Registry(Platform platform, ImageName image, RegistryAccess access)
    : platform_(platform), image_(std::move(image)), access_(std::move(access)) {}

std::string Registry::basic() const {
    const auto user = moby::text_at(access_.auth, "username");
    if (user.empty()) return {};
    return "Basic " + base64_encode(user + ':' + moby::text_at(access_.auth, "password"));
}

Result<net::Connector> Registry::connector_to(const Address& address) {
    auto& network = platform_.network;
    if (!address.tls)
        return [&network, host = address.host, port = address.port] { return network.connect_tcp(host, port); };
    if (!tls_) {
        net::TlsClient::Options options;
        options.trusted_pem = access_.trusted_pem;
        auto tls = net::TlsClient::create(options);
        if (!tls) return fail(tls.error().while_doing("the registry's authorities"));
        tls_ = std::move(*tls);
    }
    return net::tls_connector(network, address.host, address.port, tls_);
}

Task<Result<codec::HttpResponse>> Registry::fetch(Address address, std::string authorization, std::size_t most) {
    auto connector = connector_to(address);
    if (!connector) co_return std::unexpected(connector.error());
    net::HttpClient client(platform_.clock, std::move(*connector), codec::HttpLimits{.body_bytes = most},
                           address.authority());
    codec::HttpRequest request;
    request.target = address.target;
    const bool is_manifest = address.target.find("/manifests/") != std::string::npos;
    request.headers.set("Accept", std::string(is_manifest ? manifests : "*/*"));
    request.headers.set("Connection", "close");
    if (!authorization.empty()) request.headers.set("Authorization", std::move(authorization));
    auto answer = co_await client.exchange(std::move(request), request_limit);
    if (!answer) co_return fail(answer.error().while_doing(address.authority()));
    co_return answer;
}

Task<Result<codec::HttpResponse>> Registry::follow(codec::HttpResponse answer, Address from, std::size_t most) {
    for (int steps = 0; is_redirect(answer.status); ++steps) {
        if (steps == most_redirects) co_return fail(Errc::malformed, "the registry redirects in a circle");
        const auto location = answer.headers.find("Location").value_or("");
        auto next = location.starts_with('/') && !location.starts_with("//")
                        ? parse_url((from.tls ? "https://" : "http://") + from.authority() + std::string(location))
                        : parse_url(location);
        if (!next) co_return fail(next.error().while_doing("a redirect of the registry"));
        if (!next->tls && from.tls) co_return fail(Errc::malformed, "the registry redirects from HTTPS to plain HTTP");
        from = *next;
        auto got = co_await fetch(std::move(*next), {}, most);
        if (!got) co_return got;
        answer = std::move(*got);
    }
    co_return answer;
}

Task<Result<codec::HttpResponse>> Registry::get(std::string target, std::size_t most) {
    // Docker Hub's registry has another name than its images.
    const auto name = image_.registry == "docker.io" ? std::string("registry-1.docker.io") : image_.registry;
    auto address = address_ ? Result<Address>(*address_) : parse_authority(name, 443);
    if (!address) co_return std::unexpected(address.error());
    address->target = std::move(target);
    auto answer = co_await fetch(*address, authorization_, most);
    if (!answer && access_.insecure && !address_) {
        address->tls = false;
        if (name.find(':') == name.npos) address->port = 80;
        answer = co_await fetch(*address, authorization_, most);
    }
    if (!answer) co_return answer;
    address_ = *address;
    if (answer->status == 401) {
        if (const auto signed_in = co_await sign_in(std::move(*answer)); !signed_in)
            co_return std::unexpected(signed_in.error());
        answer = co_await fetch(*address, authorization_, most);
    }
    if (answer && is_redirect(answer->status)) answer = co_await follow(std::move(*answer), *address, most);
    if (!answer) co_return answer;
    if (answer->status == 200) co_return answer;
    co_return fail(code_of(answer->status),
                   fmt::format("registry {} answered {} for {}", image_.registry, answer->status, address->target));
}

Task<Result<>> Registry::sign_in(codec::HttpResponse refusal) {
    const auto challenge = parse_challenge(refusal.headers.find("WWW-Authenticate").value_or(""));
    if (challenge && challenge->scheme == "bearer") {
        auto token = co_await fetch_token(*challenge);
        if (!token) co_return fail(token.error().while_doing("asking for a token of registry " + image_.registry));
        authorization_ = "Bearer " + *token;
        co_return Result<>{};
    }
    auto credentials = basic();
    if (!challenge || challenge->scheme != "basic" || credentials.empty() || credentials == authorization_)
        co_return fail(Errc::unauthorized,
                       fmt::format("registry {} wants credentials; see registryCredentials", image_.registry));
    authorization_ = std::move(credentials);
    co_return Result<>{};
}

Task<Result<std::string>> Registry::fetch_token(Challenge challenge) {
    auto realm = parse_url(challenge.parameters["realm"]);
    if (!realm) co_return fail(realm.error().while_doing("the realm"));
    if (!realm->tls && !access_.insecure) co_return fail(Errc::malformed, "its realm is not HTTPS");
    const auto add = [&](std::string_view name, std::string_view value) {
        realm->target += realm->target.find('?') == std::string::npos ? '?' : '&';
        realm->target += fmt::format("{}={}", name, percent_encode(value));
    };
    if (const auto& service = challenge.parameters["service"]; !service.empty()) add("service", service);
    // What the registry asks for may be more than reading.
    add("scope", fmt::format("repository:{}:pull", image_.repository));
    const auto answer = co_await fetch(std::move(*realm), basic(), largest_answer);
    if (!answer) co_return std::unexpected(answer.error());
    if (answer->status != 200)
        co_return fail(code_of(answer->status), fmt::format("the token server answered {}", answer->status));
    co_return parse_token(answer->body);
}

Task<Result<std::string>> Registry::manifest(std::string reference) {
    auto answer = co_await get(fmt::format("/v2/{}/manifests/{}", image_.repository, reference), largest_manifest);
    if (!answer) co_return std::unexpected(answer.error());
    if (is_digest(reference) && digest_of(answer->body) != reference)
        co_return fail(Errc::malformed, "the registry's manifest is not the one of its digest");
    co_return std::move(answer->body);
}

Task<Result<std::string>> Registry::resolve(std::string tag) {
    const auto body = co_await manifest(std::move(tag));
    if (!body) co_return std::unexpected(body.error());
    co_return digest_of(*body);
}

Task<Result<std::string>> Registry::blob(std::string digest, std::size_t most) {
    auto answer = co_await get(fmt::format("/v2/{}/blobs/{}", image_.repository, digest), most);
    if (!answer) co_return std::unexpected(answer.error());
    if (digest_of(answer->body) != digest)
        co_return fail(Errc::malformed, "the registry's blob is not the one asked for");
    co_return std::move(answer->body);
}

}  // namespace skerry::engine::registry
