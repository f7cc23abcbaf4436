// Expected failures are values: Result<T>, with an Error that says what to do now and what to tell the operator.
//
// Everything in base/ lives in namespace skerry itself, since every other library speaks in these words.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace skerry {

// A small closed set. The code answers "what now?", the text answers "what was wrong, where, and what to do".
enum class Errc : std::uint8_t {
    malformed,     // the input can never be accepted as it is
    unauthorized,  // the credentials don't allow it
    not_found,
    conflict,     // exists already, or changed in between
    full,         // a limit or budget is used up; may work later
    unreachable,  // the peer is not there; try again later
    timeout,
    closed,  // the stream, queue or session was closed
    unsupported,
    io,        // the disk or another system call failed
    internal,  // a defect of ours
};

[[nodiscard]] std::string_view name_of(Errc code);

struct Error {
    Errc code{Errc::internal};
    std::string text;

    // Puts what this layer was doing in front of the text: "reading the device certificate: no such file".
    [[nodiscard]] Error while_doing(std::string_view what) const;
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string text) {
    return std::unexpected(Error{code, std::move(text)});
}
[[nodiscard]] inline std::unexpected<Error> fail(Error error) { return std::unexpected(std::move(error)); }

// The error of the last failed system call: `what` and strerror(number), with a code that fits.
[[nodiscard]] Error system_error(std::string_view what, int number);

}  // namespace skerry
