#include "iothub/sas.hpp"

#include "base/encoding.hpp"
#include "crypto/crypto.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace skerry::iothub {

namespace {
constexpr std::string_view scheme = "SharedAccessSignature ";
constexpr std::size_t longest_token = 8192;
// The last second that a WallTime (nanoseconds in 64 bits) can hold, with room to add a skew.
constexpr std::int64_t last_second = 9'000'000'000;

std::unexpected<Error> malformed(std::string_view what) {
    return fail(Errc::malformed, fmt::format("the shared access signature {}", what));
}

Result<> set_once(std::optional<std::string>& field, std::string_view name, std::string_view value) {
    if (field) return malformed(fmt::format("has '{}' twice", name));
    field = std::string(value);
    return {};
}

struct Fields {
    std::optional<std::string> sr, sig, se, skn;
};

Result<Fields> split_fields(std::string_view text) {
    Fields fields;
    while (!text.empty()) {
        const auto end = text.find('&');
        const auto field = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        const auto equals = field.find('=');
        if (equals == std::string_view::npos) return malformed("has a field without '='");
        const auto name = field.substr(0, equals);
        auto* target = name == "sr"    ? &fields.sr
                       : name == "sig" ? &fields.sig
                       : name == "se"  ? &fields.se
                       : name == "skn" ? &fields.skn
                                       : nullptr;
        if (target == nullptr) continue;
        if (auto ok = set_once(*target, name, field.substr(equals + 1)); !ok) return fail(ok.error());
    }
    return fields;
}

bool is_number(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// The parts of a decoded resource: host (port included) and path segments, without an empty last one.
struct Resource {
    std::string host;
    std::vector<std::string> path;
};

std::optional<Resource> split_resource(const SasToken& token) {
    const auto decoded = percent_decode(token.resource);
    if (!decoded) return std::nullopt;
    std::string_view rest = *decoded;
    for (const std::string_view prefix : {"amqps://", "https://", "sb://"}) {
        if (rest.size() >= prefix.size() && equals_ignoring_case(rest.substr(0, prefix.size()), prefix)) {
            rest.remove_prefix(prefix.size());
            break;
        }
    }
    const auto slash = rest.find('/');
    Resource resource{std::string(rest.substr(0, slash)), {}};
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    while (!rest.empty()) {
        const auto end = rest.find('/');
        resource.path.emplace_back(rest.substr(0, end));
        rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return resource;
}

// Ids in a resource are percent-encoded once more than the resource itself, or not: both are seen.
bool same_segment(std::string_view written, std::string_view id) {
    if (equals_ignoring_case(written, id)) return true;
    const auto decoded = percent_decode(written);
    return decoded && equals_ignoring_case(*decoded, id);
}

// A port in the token counts only when the host is known by that very name.
bool names_one_of(std::string_view host, std::span<const std::string> hosts) {
    const auto without_port = host.substr(0, host.rfind(':'));
    return std::ranges::any_of(hosts, [&](const std::string& name) {
        return equals_ignoring_case(host, name) || equals_ignoring_case(without_port, name);
    });
}
}  // namespace

WallTime SasToken::expires() const {
    std::int64_t seconds = last_second;
    const auto [end, error] = std::from_chars(expiry.data(), expiry.data() + expiry.size(), seconds);
    if (error != std::errc() || end != expiry.data() + expiry.size()) seconds = last_second;
    return WallTime(std::chrono::seconds(std::clamp(seconds, std::int64_t{0}, last_second)));
}

Result<SasToken> parse_sas(std::string_view text) {
    if (text.size() > longest_token) return malformed(fmt::format("is longer than {} bytes", longest_token));
    if (text.size() < scheme.size() || !equals_ignoring_case(text.substr(0, scheme.size()), scheme))
        return malformed("does not start with 'SharedAccessSignature '");
    auto fields = split_fields(text.substr(scheme.size()));
    if (!fields) return fail(fields.error());
    if (!fields->sr || fields->sr->empty()) return malformed("has no resource (sr)");
    if (!fields->sig || fields->sig->empty()) return malformed("has no signature (sig)");
    if (!fields->se || fields->se->empty()) return malformed("has no expiry (se)");
    if (!is_number(*fields->se)) return malformed("has an expiry (se) that is no number of seconds");
    if (!percent_decode(*fields->sr)) return malformed("has a broken escape in its resource (sr)");

    const auto encoded = percent_decode(*fields->sig);
    auto signature = encoded ? base64_decode(*encoded) : std::nullopt;
    if (!signature) return malformed("has a signature (sig) that is no base64");
    SasToken token{std::move(*fields->sr), std::move(*signature), std::move(*fields->se), {}};
    if (fields->skn && !fields->skn->empty()) {
        token.policy = percent_decode(*fields->skn);
        if (!token.policy) return malformed("has a broken escape in its policy name (skn)");
    }
    return token;
}

bool is_signed_with(const SasToken& token, std::string_view key) {
    const auto expected = crypto::hmac_sha256(key, fmt::format("{}\n{}", token.resource, token.expiry));
    return crypto::equal_in_constant_time(expected, token.signature);
}

bool is_expired(const SasToken& token, WallTime now, Duration skew) {
    return token.expires() + std::chrono::duration_cast<WallTime::duration>(skew) <= now;
}

std::string sas_text_to_sign(std::string_view encoded_resource, std::int64_t expiry_seconds) {
    return fmt::format("{}\n{}", encoded_resource, expiry_seconds);
}

std::string format_sas(std::string_view encoded_resource, std::string_view signature_bytes, std::int64_t expiry_seconds,
                       std::string_view policy) {
    auto out = fmt::format("{}sr={}&sig={}&se={}", scheme, encoded_resource,
                           percent_encode(base64_encode(signature_bytes)), expiry_seconds);
    if (!policy.empty()) out += fmt::format("&skn={}", percent_encode(policy));
    return out;
}

std::string make_sas(std::string_view resource, std::string_view key, WallTime expires, std::string_view policy) {
    const auto encoded = percent_encode(resource);
    const auto seconds = unix_seconds(expires);
    return format_sas(encoded, crypto::hmac_sha256(key, sas_text_to_sign(encoded, seconds)), seconds, policy);
}

std::string resource_of(std::string_view host, const model::Identity& identity) {
    auto out = fmt::format("{}/devices/{}", host, percent_encode(identity.device_id()));
    if (identity.is_module()) out += fmt::format("/modules/{}", percent_encode(identity.module_id()));
    return out;
}

bool covers(const SasToken& token, std::span<const std::string> hosts, const model::Identity& identity) {
    const auto resource = split_resource(token);
    if (!resource || !names_one_of(resource->host, hosts)) return false;
    std::vector<std::string_view> wanted{"devices", identity.device_id()};
    if (identity.is_module()) wanted.insert(wanted.end(), {"modules", identity.module_id()});
    // Half a pair ("/devices") names nobody; the host alone names everybody.
    const auto& path = resource->path;
    if (path.size() % 2 != 0 || path.size() > wanted.size()) return false;
    return std::ranges::equal(path, std::span(wanted).first(path.size()), same_segment);
}

bool covers_host(const SasToken& token, std::span<const std::string> hosts) {
    const auto resource = split_resource(token);
    return resource && names_one_of(resource->host, hosts);
}

}  // namespace skerry::iothub
