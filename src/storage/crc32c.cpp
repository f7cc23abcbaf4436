#include "storage/crc32c.hpp"

#include <array>
#include <cstddef>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

namespace skerry::storage {

namespace {
constexpr std::uint32_t polynomial = 0x82f63b78;  // reflected

// Eight tables, so that eight bytes are done at a time.
constexpr auto tables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> all{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ polynomial : crc >> 1;
        all[0][byte] = crc;
    }
    for (std::size_t byte = 0; byte < 256; ++byte)
        for (std::size_t k = 1; k < 8; ++k) all[k][byte] = all[k - 1][byte] >> 8 ^ all[0][all[k - 1][byte] & 0xff];
    return all;
}();

std::uint32_t table_step(std::uint32_t crc, unsigned char byte) { return crc >> 8 ^ tables[0][(crc ^ byte) & 0xff]; }

#if defined(__x86_64__)
bool has_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(const char* at, std::size_t count, std::uint32_t crc) {
    std::uint64_t wide = crc;
    for (; count >= 8; at += 8, count -= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = static_cast<std::uint32_t>(wide);
    for (; count > 0; ++at, --count) crc = _mm_crc32_u8(crc, static_cast<unsigned char>(*at));
    return crc;
}
#elif defined(__aarch64__)
bool has_instruction() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

__attribute__((target("crc"))) std::uint32_t by_instruction(const char* at, std::size_t count, std::uint32_t crc) {
    for (; count >= 8; at += 8, count -= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, 8);
        crc = __crc32cd(crc, word);
    }
    for (; count > 0; ++at, --count) crc = __crc32cb(crc, static_cast<unsigned char>(*at));
    return crc;
}
#else
bool has_instruction() { return false; }
std::uint32_t by_instruction(const char*, std::size_t, std::uint32_t crc) { return crc; }
#endif
}  // namespace

std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t before) {
    std::uint32_t crc = ~before;
    std::size_t at = 0;
    const auto byte = [&](std::size_t index) { return static_cast<unsigned char>(bytes[at + index]); };
    for (; at + 8 <= bytes.size(); at += 8) {
        const auto low =
            crc ^ (byte(0) | std::uint32_t{byte(1)} << 8 | std::uint32_t{byte(2)} << 16 | std::uint32_t{byte(3)} << 24);
        crc = tables[7][low & 0xff] ^ tables[6][low >> 8 & 0xff] ^ tables[5][low >> 16 & 0xff] ^ tables[4][low >> 24] ^
              tables[3][byte(4)] ^ tables[2][byte(5)] ^ tables[1][byte(6)] ^ tables[0][byte(7)];
    }
    for (; at < bytes.size(); ++at) crc = table_step(crc, byte(0));
    return ~crc;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
    static const bool fast = has_instruction();
    return fast ? ~by_instruction(bytes.data(), bytes.size(), ~before) : crc32c_by_table(bytes, before);
}

}  // namespace skerry::storage
