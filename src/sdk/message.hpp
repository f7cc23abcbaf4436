// What a module sends and receives, in plain C++: no other header of Skerry is needed to use it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::sdk {

struct Message {
    std::string body;
    std::string message_id;  // empty: none
    std::string correlation_id;
    std::string content_type;      // "application/json": routes may then look into the body
    std::string content_encoding;  // "utf-8"
    std::vector<std::pair<std::string, std::string>> properties;
    // Of received messages: who sent it, as the hub authenticated it.
    std::string sender_device;
    std::string sender_module;

    [[nodiscard]] std::optional<std::string_view> property(std::string_view name) const {
        for (const auto& [key, value] : properties)
            if (key == name) return value;
        return std::nullopt;
    }
};

struct MethodReply {
    int status{200};
    std::string payload;  // JSON text, may be empty
};

enum class Retry {
    no,                 // one attempt: fails while the hub is away, or when the connection is lost before the answer
    until_acknowledged  // waits for the hub and sends again, with the same id: at least once
};

}  // namespace skerry::sdk
