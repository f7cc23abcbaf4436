#include "model/schema_version.hpp"

#include <array>
#include <charconv>
#include <cstddef>

namespace skerry::model {

std::optional<SchemaVersion> parse_schema_version(std::string_view text) {
    std::array<int, 4> parts{};
    std::size_t count = 0;
    const char* at = text.data();
    const char* const end = text.data() + text.size();
    for (;;) {
        if (count == parts.size() || at == end || *at < '0' || *at > '9') return std::nullopt;
        const auto [stop, error] = std::from_chars(at, end, parts[count++]);
        if (error != std::errc()) return std::nullopt;
        if (stop == end) break;
        if (*stop != '.') return std::nullopt;
        at = stop + 1;
    }
    if (count < 2) return std::nullopt;
    return SchemaVersion{parts[0], parts[1]};
}

}  // namespace skerry::model
