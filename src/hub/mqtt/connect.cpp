#include "hub/mqtt/connect.hpp"

#include "iothub/topics.hpp"

#include <fmt/format.h>

namespace skerry::hub::mqtt {

using codec::mqtt::ConnectCode;

std::expected<Claim, Refusal> read_claim(const codec::mqtt::Connect& connect,
                                         std::vector<std::string> certificates_pem) {
    if (!connect.user_name)
        return std::unexpected(Refusal{ConnectCode::server_unavailable, "CONNECT without a user name"});
    auto user = iothub::parse_user_name(*connect.user_name);
    if (!user) return std::unexpected(Refusal{ConnectCode::server_unavailable, "user name: " + user.error().text});
    if (connect.client_id != user->identity.id())
        return std::unexpected(
            Refusal{ConnectCode::not_authorized, fmt::format("client id '{}' is not the user name's identity '{}'",
                                                             connect.client_id, user->identity.id())});
    return Claim{.identity = std::move(user->identity),
                 .auth_chain = std::move(user->auth_chain),
                 .token = connect.password.value_or(""),
                 .certificates_pem = std::move(certificates_pem)};
}

Refusal refusal_for(const Error& error) {
    return {error.code == Errc::unauthorized ? ConnectCode::not_authorized : ConnectCode::server_unavailable,
            error.text};
}

Duration silence_limit(std::uint16_t keep_alive_seconds, Duration longest) {
    Duration keep_alive = std::chrono::seconds(keep_alive_seconds);
    if (keep_alive_seconds == 0 || keep_alive > longest) keep_alive = longest;
    return keep_alive * 3 / 2;
}

}  // namespace skerry::hub::mqtt
