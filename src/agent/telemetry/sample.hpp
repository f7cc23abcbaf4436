// One line of a metrics page, taken apart; and what of it may leave the device (docs/telemetry.md).
//
// Promise: what is not listed there stays here: labels with names that nobody knows are hashed, not passed on.
// Bounds:  8 KiB per line, 64 labels; what is larger is no sample.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::agent {

struct Sample {
    std::string name;
    std::map<std::string, std::string> labels;
    double value{0};
    bool operator==(const Sample&) const = default;
};

// nullopt for comments and for what is none.
[[nodiscard]] std::optional<Sample> parse_sample(std::string_view line);

// The sample without what identifies the device or its modules; nullopt: it is not to be sent.
[[nodiscard]] std::optional<Sample> scrub(Sample sample);

// Lines of a text that comes in pieces.
class Lines {
public:
    void feed(std::string_view bytes, const std::function<void(std::string_view line)>& on_line);

private:
    std::string open_;
    bool too_long_{false};
};

}  // namespace skerry::agent
