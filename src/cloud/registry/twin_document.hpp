// One section of a twin (tags, desired or reported): values with $metadata and $version that mirror every change, and
// the limits of IoT Hub on what may be in it (iot-hub-wire.md 2.3 and 8, items 13 and 14).
#pragma once

#include "base/clock.hpp"
#include "cloud/fault.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::cloud {

inline constexpr std::size_t largest_section = 32 * 1024;  // desired or reported, as JSON
inline constexpr std::size_t largest_tags = 8 * 1024;
inline constexpr std::size_t deepest_section = 10;
inline constexpr std::size_t longest_twin_name = 1024;
inline constexpr std::size_t longest_twin_text = 4096;

enum class SectionKind { desired, reported };

struct TwinSection {
    boost::json::object values;
    boost::json::object metadata;
    std::int64_t version{1};
};

// A new twin's section.
[[nodiscard]] TwinSection empty_section(SectionKind kind, WallTime now);

// Both take the section to its next version. A member $metadata or $version of what is given is ignored: clients send
// back what they read.
void patch_section(TwinSection& section, SectionKind kind, boost::json::object patch, WallTime now);
void replace_section(TwinSection& section, SectionKind kind, boost::json::object values, WallTime now);

// As a service sees it ($metadata and $version), and as a device does ($version only).
[[nodiscard]] boost::json::object service_view(const TwinSection& section);
[[nodiscard]] boost::json::object device_view(const TwinSection& section);

// Without $metadata and $version.
[[nodiscard]] boost::json::object without_system_members(boost::json::object values);

// The rules for names, texts, numbers and depth of a patch or a whole section; the text of the fault names the
// property.
[[nodiscard]] Outcome<> check_values(const boost::json::object& values, std::string_view section);
// The rule for the size, after a change.
[[nodiscard]] Outcome<> check_size(const boost::json::object& values, std::string_view section, std::size_t limit);

// Replaces the subtree at `path` ("routes.upstream": names joined with dots), creating what is missing on the way.
void set_at_path(boost::json::object& values, std::string_view path, boost::json::value value);

}  // namespace skerry::cloud
