// A message on its way: immutable once it is shared.
#pragma once

#include "base/clock.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::model {

// Name and value in the order they came; the value of a key-only property is nullopt.
using Properties = std::vector<std::pair<std::string, std::optional<std::string>>>;

// First property of that name: exact, or ignoring ASCII case as the routing language does.
[[nodiscard]] const std::optional<std::string>* find(const Properties& properties, std::string_view name);
[[nodiscard]] const std::optional<std::string>* find_ignoring_case(const Properties& properties, std::string_view name);

struct Message {
    std::string body;
    Properties properties;  // of the application
    // Under the internal names of the reference (edge-hub.md 1.7): messageId, cid, contentType, contentEncoding,
    // outputName, inputName, connectionDeviceId, connectionModuleId, enqueuedTime, edgeMessageId, …
    Properties system;

    [[nodiscard]] std::optional<std::string_view> system_property(std::string_view name) const;
    void set_system_property(std::string_view name, std::string value);

    // What the 262,144-byte limit counts: names, values and body.
    [[nodiscard]] std::size_t size() const;
};

using SharedMessage = std::shared_ptr<const Message>;

inline constexpr std::size_t largest_message = 262144;

}  // namespace skerry::model
