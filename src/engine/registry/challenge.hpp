// What a registry says with 401 (WWW-Authenticate), what its token server answers, and addresses it sends us to.
//
// Promises: pure; anything from outside is read or refused.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::engine::registry {

struct Challenge {
    std::string scheme;                             // lower case: "basic", "bearer"
    std::map<std::string, std::string> parameters;  // names in lower case: realm, service, scope
};
// nullopt: not one.
[[nodiscard]] std::optional<Challenge> parse_challenge(std::string_view header);

struct Address {
    bool tls{true};
    std::string host;
    std::uint16_t port{443};
    std::string target{"/"};  // path and query

    [[nodiscard]] std::string authority() const;  // "host", or "host:port" where the port is not the usual one
};
// "https://host[:port]/path?query", or http. Errc::malformed for anything else.
[[nodiscard]] Result<Address> parse_url(std::string_view url);
// "host", "host:port", "[::1]:5000"; `usual` when no port is named.
[[nodiscard]] Result<Address> parse_authority(std::string_view text, std::uint16_t usual);

// {"token": …} or {"access_token": …}
[[nodiscard]] Result<std::string> parse_token(std::string_view body);

}  // namespace skerry::engine::registry
