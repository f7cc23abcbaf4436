// CRC-32C (Castagnoli), by the processor's instruction where it has one, else by table. Same answers everywhere.
#pragma once

#include <cstdint>
#include <string_view>

namespace skerry::storage {

// Goes on from `before`, the checksum of what comes in front: crc32c(b, crc32c(a)) == crc32c(a + b).
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);

// The portable one, for tests.
[[nodiscard]] std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before = 0);

}  // namespace skerry::storage
