// A message on its way: immutable once it is shared.
#pragma once

#include "model/properties.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::model {

struct Message {
    std::string body;
    Properties properties;  // of the application
    // Under the internal names of the reference (edge-hub.md 1.7): messageId, cid, contentType, contentEncoding,
    // outputName, inputName, connectionDeviceId, connectionModuleId, enqueuedTime, edgeMessageId, …
    Properties system;

    [[nodiscard]] std::optional<std::string_view> system_property(std::string_view name) const;
    void set_system_property(std::string_view name, std::string_view value) { system.set(name, value); }

    // What the 262,144-byte limit counts: names, values and body.
    [[nodiscard]] std::size_t size() const { return properties.bytes() + system.bytes() + body.size(); }
};

using SharedMessage = std::shared_ptr<const Message>;

inline constexpr std::size_t largest_message = 262144;

}  // namespace skerry::model
