// A regular expression from outside, matched anywhere in a text.
//
// Promise: matching takes time linear in the text, whatever the pattern (RE2: no look-around, no back-references).
// Bounds:  1,000 characters of pattern; 1 MiB for its automaton.
#pragma once

#include "base/result.hpp"

#include <memory>
#include <string_view>

namespace re2 {
class RE2;
}

namespace skerry::agent {

class Pattern {
public:
    enum class Case { sensitive, ignored };
    // Errc::malformed with the reason.
    [[nodiscard]] static Result<Pattern> create(std::string_view text, Case matters);
    [[nodiscard]] bool found_in(std::string_view text) const;

private:
    explicit Pattern(std::shared_ptr<const re2::RE2> compiled) : compiled_(std::move(compiled)) {}
    std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace skerry::agent
