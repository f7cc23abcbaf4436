#include "agent/logs/pattern.hpp"

#include "base/encoding.hpp"

#include <fmt/core.h>
#include <re2/re2.h>

namespace skerry::agent {

Result<Pattern> Pattern::create(std::string_view text, Case matters) {
    constexpr std::size_t longest = 1'000;
    constexpr std::int64_t most_memory = 1 << 20;
    if (text.size() > longest)
        return fail(Errc::malformed, fmt::format("a regular expression may have {} characters at most", longest));
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_case_sensitive(matters == Case::sensitive);
    options.set_max_mem(most_memory);
    // A log may have any bytes.
    if (!is_utf8(text)) options.set_encoding(re2::RE2::Options::EncodingLatin1);
    auto compiled = std::make_shared<const re2::RE2>(re2::StringPiece(text.data(), text.size()), options);
    if (!compiled->ok())
        return fail(Errc::malformed, fmt::format("'{}' is no regular expression: {}", text, compiled->error()));
    return Pattern(std::move(compiled));
}

bool Pattern::found_in(std::string_view text) const {
    return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

}  // namespace skerry::agent
