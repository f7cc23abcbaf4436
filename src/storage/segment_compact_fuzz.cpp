#include "storage/segment_compact.hpp"

#include <cstdlib>

using namespace skerry::storage;

// Whatever the bytes of a segment that says it is compact are: a check ends, and what it repairs is whole afterwards.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size < 2 || size > 65536) return 0;
    constexpr LogPosition base = 4096;
    std::string bytes(segment_header_bytes, '\0');
    if (data[0] & 1) {  // give the fuzzer good records to break
        LogPosition at = base + segment_header_bytes;
        for (std::size_t n = 2; n < size; ++n, at += 8 * (8 + data[n - 1]))
            append_placed(bytes, {at, data[n], std::string(1 + data[n] % 40, 'x'), 0, 0});
    } else {
        bytes.append(reinterpret_cast<const char*>(data + 1), size - 1);
    }
    const auto header = encode_header({base, base, base + (1 << 26), bytes.size()});
    bytes.replace(0, segment_header_bytes, header);
    const std::size_t first = data[0] & 2 ? 0 : segment_header_bytes;
    for (std::size_t n = 2; n + 1 < size && bytes.size() > first; n += 7)
        bytes[first + data[n] * 257U % (bytes.size() - first)] ^= static_cast<char>(data[n + 1]);
    const auto check = check_any_segment(bytes, base, decode_header(bytes), base);
    std::size_t records = 0;
    for_each_of_any(bytes, base, check, [&](const LogRecord&) { ++records; });
    if (!check.compact || check.records == 0) return 0;
    const auto repaired = repair_compact(bytes, base, check, base);
    const auto again = check_any_segment(repaired, base, decode_header(repaired), base);
    std::size_t kept = 0;
    for_each_of_any(repaired, base, again, [&](const LogRecord&) { ++kept; });
    if (records > 0 && (!again.damage.empty() || again.end != check.end || kept != records)) std::abort();
    return 0;
}
