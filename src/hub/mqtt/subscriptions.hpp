// The topic filters of one client, and what they mean for the hub (edge-hub.md 1.9).
//
// Bounds: 50 filters of at most 1,024 bytes; further ones are refused with 0x80.
#pragma once

#include "codec/mqtt.hpp"
#include "hub/cloud_link.hpp"
#include "model/identity.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::hub::mqtt {

class Subscriptions {
public:
    // The code for SUBACK: the granted QoS (at most 1), or 0x80.
    [[nodiscard]] std::uint8_t add(const std::string& filter, codec::mqtt::QoS wanted);
    void remove(const std::string& filter);
    [[nodiscard]] bool empty() const { return filters_.empty(); }

    // The best QoS among the filters that match; nullopt: none does.
    [[nodiscard]] std::optional<codec::mqtt::QoS> match(std::string_view topic) const;
    // The same for messages whose topics begin with `prefix` and go on with their properties.
    [[nodiscard]] std::optional<codec::mqtt::QoS> match_input(std::string_view prefix) const;
    [[nodiscard]] CloudInterests interests(const model::Identity& client) const;

    // For persistent sessions. Text that was not written by to_text() gives an empty set.
    [[nodiscard]] std::string to_text() const;
    [[nodiscard]] static Subscriptions from_text(std::string_view text);

private:
    std::map<std::string, codec::mqtt::QoS, std::less<>> filters_;
};

}  // namespace skerry::hub::mqtt
