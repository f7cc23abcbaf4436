// What a CONNECT asks for: who the client claims to be, or the CONNACK code that refuses it (edge-hub.md 1.3 to 1.5).
#pragma once

#include "codec/mqtt.hpp"
#include "hub/authenticator.hpp"

#include <expected>
#include <string>
#include <vector>

namespace skerry::hub::mqtt {

struct Refusal {
    codec::mqtt::ConnectCode code;
    std::string why;  // for the log
};

// Before any key is looked at: the user name's grammar, and the client id, which must be the identity's.
[[nodiscard]] std::expected<Claim, Refusal> read_claim(const codec::mqtt::Connect& connect,
                                                       std::vector<std::string> certificates_pem);

// Unauthorized becomes 5, everything else 3.
[[nodiscard]] Refusal refusal_for(const Error& error);

// 1.5 times the keep-alive; none, or one longer than `longest`, counts as `longest`.
[[nodiscard]] Duration silence_limit(std::uint16_t keep_alive_seconds, Duration longest);

}  // namespace skerry::hub::mqtt
