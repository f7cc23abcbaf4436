// Reading a configuration by key path: every problem is found in one pass and names its path; keys that nobody asked
// for are known at the end.
#pragma once

#include "base/result.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::daemon {

struct Reading {
    std::vector<std::string> errors;  // "agent.config.image: must be a string"
    std::set<std::string> known;      // paths that somebody asked for
};

class Section {
public:
    // The document itself. `document` and `reading` outlive the sections.
    Section(const boost::json::object& document, Reading& reading) : object_(&document), reading_(&reading) {}

    // Absent keys give nullopt; keys of the wrong type give an error and nullopt.
    [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
    [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key, std::int64_t least,
                                                      std::int64_t most) const;
    [[nodiscard]] std::optional<bool> flag(std::string_view key) const;
    // All members must be strings.
    [[nodiscard]] std::map<std::string, std::string> texts() const;
    // A section that is absent has no keys.
    [[nodiscard]] Section section(std::string_view key) const;
    // The whole object, with everything in it taken as known; empty when absent.
    [[nodiscard]] boost::json::object object(std::string_view key) const;
    [[nodiscard]] bool has(std::string_view key) const { return value(key) != nullptr; }
    // The member as it is; nullptr when absent.
    [[nodiscard]] const boost::json::value* value(std::string_view key) const;
    [[nodiscard]] bool exists() const { return object_ != nullptr; }

    void complain(std::string_view key, std::string_view problem) const;
    [[nodiscard]] std::string path_of(std::string_view key) const;

private:
    Section(const boost::json::object* object, Reading* reading, std::string path)
        : object_(object), reading_(reading), path_(std::move(path)) {}

    const boost::json::object* object_;
    Reading* reading_;
    std::string path_;
};

// Paths of `document` that are not in `reading.known`, outermost only.
[[nodiscard]] std::vector<std::string> unknown_keys(const boost::json::object& document, const Reading& reading);

}  // namespace skerry::daemon
