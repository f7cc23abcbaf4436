// The device's own symmetric keys: made at first start, kept in <home>/keys, never shown.
//
// Promises: a module's keys follow from its id and generation, so they can be had again without a cloud. Losing the
//           master keys means new ones and an error in the log; the daemon starts all the same.
#pragma once

#include "base/random.hpp"
#include "base/result.hpp"
#include "storage/files.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::daemon {

class Keys {
public:
    // Loads, or makes at the first start. `imported` replaces the master encryption key (32 raw bytes).
    [[nodiscard]] static Result<Keys> open(storage::Files& files, Random& random, const std::filesystem::path& folder,
                                           const std::optional<std::filesystem::path>& imported);

    // Raw bytes. `which` is "primary" or "secondary".
    [[nodiscard]] std::string module_key(std::string_view module_id, std::string_view generation,
                                         std::string_view which) const;

    // AES-256-GCM with the master key; authenticated with module id and generation. 0x02, ciphertext, tag.
    [[nodiscard]] Result<std::string> encrypt(std::string_view module_id, std::string_view generation,
                                              std::string_view iv, std::string_view plaintext) const;
    // Also what older versions wrote: 0x01, tag, ciphertext.
    [[nodiscard]] Result<std::string> decrypt(std::string_view module_id, std::string_view generation,
                                              std::string_view iv, std::string_view ciphertext) const;

private:
    Keys(std::string identity, std::string encryption)
        : identity_(std::move(identity)), encryption_(std::move(encryption)) {}
    std::string identity_;
    std::string encryption_;
};

}  // namespace skerry::daemon
