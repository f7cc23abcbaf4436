// How safe a message is when its publisher is told that it was taken. A deployment, a setting and the store use the
// same words.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace skerry {

// In order: what is greater promises more.
enum class Durability : std::uint8_t {
    memory,  // it is accepted
    os,      // it survives the end of the process, not a power cut
    disk,    // it survives a power cut
};

inline constexpr std::string_view durability_names = "disk, os or memory";

[[nodiscard]] constexpr std::optional<Durability> parse_durability(std::string_view text) {
    if (text == "disk") return Durability::disk;
    if (text == "os") return Durability::os;
    if (text == "memory") return Durability::memory;
    return std::nullopt;
}

}  // namespace skerry
