#include "storage/segment_format.hpp"

#include <cstdlib>

using namespace skerry::storage;

// Whatever the bytes of a segment are: a check ends, and what it repairs is whole afterwards.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size < 2 || size > 65536) return 0;
    constexpr LogPosition base = 4096;
    const LogPosition durable = base + std::size_t{data[0]} * 8;
    std::string bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    if (data[1] & 1) {  // give the fuzzer good records to break
        bytes = encode_header({base, 0});
        for (std::size_t at = 2; at < size; ++at)
            append_record(bytes, base + bytes.size(), data[at], std::string(1 + data[at] % 40, 'x'), data[at] & 0x38);
        for (std::size_t at = 2; at + 1 < size; at += 7)
            bytes[data[at] * 257U % bytes.size()] ^= static_cast<char>(data[at + 1]);
    }
    const bool header_valid = decode_header(bytes).has_value();
    const auto check = check_segment(bytes, base, header_valid, durable);
    std::size_t records = 0;
    for_each_record(bytes, base, check, [&](const LogRecord&) { ++records; });
    if (check.end <= base + segment_header_bytes) return 0;
    const auto repaired = repair_segment(bytes, base, check, 0);
    const auto again = check_segment(repaired, base, true, durable);
    std::size_t kept = 0;
    for_each_record(repaired, base, again, [&](const LogRecord&) { ++kept; });
    if (!again.damage.empty() || again.end != check.end || kept != records) std::abort();
    return 0;
}
