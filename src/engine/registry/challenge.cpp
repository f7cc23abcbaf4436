#include "engine/registry/challenge.hpp"

#include "base/encoding.hpp"
#include "engine/moby/fields.hpp"
#include "model/twin.hpp"

#include <algorithm>
#include <charconv>

namespace skerry::engine::registry {

namespace {
constexpr std::size_t most_parameters = 16;
constexpr std::size_t longest_url = 8 * 1024;

bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

void skip_blanks(std::string_view& text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == ',' || text.front() == '\t')) text.remove_prefix(1);
}

// A token, or a quoted string with its escapes resolved; takes it from `text`.
std::optional<std::string> take_value(std::string_view& text) {
    std::string value;
    if (!text.starts_with('"')) {
        const auto end = std::min(text.find_first_of(", \t"), text.size());
        value = text.substr(0, end);
        text.remove_prefix(end);
        return value;
    }
    for (std::size_t at = 1; at < text.size(); ++at) {
        if (text[at] == '"') {
            text.remove_prefix(at + 1);
            return value;
        }
        if (text[at] == '\\' && ++at == text.size()) break;
        value += text[at];
    }
    return std::nullopt;
}
}  // namespace

std::optional<Challenge> parse_challenge(std::string_view header) {
    Challenge out;
    const auto space = std::min(header.find(' '), header.size());
    out.scheme = to_lower(header.substr(0, space));
    if (out.scheme.empty()) return std::nullopt;
    auto rest = header.substr(space);
    for (skip_blanks(rest); !rest.empty() && out.parameters.size() < most_parameters; skip_blanks(rest)) {
        const auto equals = rest.find('=');
        if (equals == rest.npos) return std::nullopt;
        auto name = to_lower(rest.substr(0, equals));
        rest.remove_prefix(equals + 1);
        auto value = take_value(rest);
        if (!value) return std::nullopt;
        out.parameters.emplace(std::move(name), std::move(*value));
    }
    return out;
}

std::string Address::authority() const {
    const auto shown = host.find(':') == host.npos ? host : '[' + host + ']';
    return port == (tls ? 443 : 80) ? shown : shown + ':' + std::to_string(port);
}

Result<Address> parse_authority(std::string_view text, std::uint16_t usual) {
    const auto wrong = [&] {
        return fail(Errc::malformed, "'" + std::string(text.substr(0, 200)) + "' is no host[:port]");
    };
    Address out;
    out.port = usual;
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == text.npos) return wrong();
        out.host = text.substr(1, end - 1);
        const bool fits = std::ranges::all_of(out.host, [](char c) { return is_host_character(c) || c == ':'; });
        if (!fits || (end + 1 < text.size() && text[end + 1] != ':')) return wrong();
        has_port = end + 1 < text.size();
        if (has_port) port = text.substr(end + 2);
    } else {
        const auto colon = text.find(':');
        out.host = text.substr(0, colon);
        if (!std::ranges::all_of(out.host, is_host_character)) return wrong();
        has_port = colon != text.npos;
        if (has_port) port = text.substr(colon + 1);
    }
    if (out.host.empty()) return wrong();
    if (!has_port) return out;
    const auto* const last = port.data() + port.size();
    const auto [end, failed] = std::from_chars(port.data(), last, out.port);
    if (failed != std::errc{} || end != last || out.port == 0) return wrong();
    return out;
}

Result<Address> parse_url(std::string_view url) {
    const bool tls = url.starts_with("https://");
    if (url.size() > longest_url || (!tls && !url.starts_with("http://")))
        return fail(Errc::malformed, "'" + std::string(url.substr(0, 200)) + "' is no http(s) address");
    auto rest = url.substr(tls ? 8 : 7);
    const auto end = std::min(rest.find_first_of("/?#"), rest.size());
    auto out = parse_authority(rest.substr(0, end), tls ? 443 : 80);
    if (!out) return out;
    out->tls = tls;
    rest = rest.substr(end);
    rest = rest.substr(0, rest.find('#'));
    out->target = rest.starts_with('/') ? std::string(rest) : '/' + std::string(rest);
    // It becomes a line of a request.
    if (std::ranges::any_of(out->target, [](unsigned char c) { return c <= ' ' || c >= 0x7f; }))
        return fail(Errc::malformed, "an address with blanks or other characters that must be escaped");
    return out;
}

Result<std::string> parse_token(std::string_view body) {
    const auto answer = model::parse_object(body);
    if (!answer) return fail(Errc::malformed, "the token server's answer is no JSON object");
    for (const auto* const name : {"token", "access_token"})
        if (auto token = moby::text_at(*answer, name); !token.empty()) return token;
    return fail(Errc::malformed, "the token server's answer has no token");
}

}  // namespace skerry::engine::registry
