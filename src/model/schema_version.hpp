// The "major.minor" at the top of a twin document.
#pragma once

#include <optional>
#include <string_view>

namespace skerry::model {

struct SchemaVersion {
    int major;
    int minor;
};

// Two to four dotted numbers, as .NET's System.Version reads them; "1" alone is none.
[[nodiscard]] std::optional<SchemaVersion> parse_schema_version(std::string_view text);

}  // namespace skerry::model
