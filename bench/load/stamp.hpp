// What each payload begins with: who sent it as which of its messages, and when it was meant to be sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace skerry::load {

struct Stamp {
    std::uint32_t mark{0x534b4c44};
    std::uint32_t publisher{0};
    std::uint64_t sequence{0};  // from 0
    std::int64_t intended{0};   // nanoseconds of the monotonic clock
};

inline void write_stamp(const Stamp& stamp, char* out) { std::memcpy(out, &stamp, sizeof stamp); }

// nullopt for a payload of somebody else.
[[nodiscard]] inline std::optional<Stamp> read_stamp(std::string_view payload) {
    Stamp stamp;
    if (payload.size() < sizeof stamp) return std::nullopt;
    std::memcpy(&stamp, payload.data(), sizeof stamp);
    if (stamp.mark != Stamp{}.mark) return std::nullopt;
    return stamp;
}

}  // namespace skerry::load
