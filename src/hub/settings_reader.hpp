// Reads one setting after the other from the environment, and remembers what was wrong.
//
// Promise: a value that can't be used changes nothing: what was set before stays, and a line for the log names the
//          variable, its value, what it must be, and what is used instead.
#pragma once

#include "base/clock.hpp"
#include "daemonapi/environment.hpp"

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::hub {

class SettingsReader {
public:
    explicit SettingsReader(const daemonapi::Environment& environment) : environment_(environment) {}

    // Sets `out` when the variable is there; `smallest` and `largest` are inclusive.
    template <class T>
    void number(std::string_view name, T& out, std::uint64_t smallest, std::uint64_t largest) {
        if (const auto value = read_number(name, smallest, largest, static_cast<std::uint64_t>(out)))
            out = static_cast<T>(*value);
    }
    void seconds(std::string_view name, Duration& out, std::uint64_t smallest);
    // "h:mm:ss", as .NET writes a TimeSpan; up to a day.
    void time_span(std::string_view name, Duration& out);
    // As h:mm:ss, with any number of hours, or in seconds; from a second to ten years.
    void age(std::string_view name, std::optional<std::chrono::seconds>& out);
    void flag(std::string_view name, bool& out);
    // One of a few words, each with its value.
    template <class T>
    void choice(std::string_view name, T& out, std::initializer_list<std::pair<std::string_view, T>> choices) {
        std::vector<std::string_view> words;
        std::size_t now = 0;
        for (const auto& [word, value] : choices) {
            if (value == out) now = words.size();
            words.push_back(word);
        }
        if (const auto chosen = read_choice(name, words, now)) out = (choices.begin() + *chosen)->second;
    }
    // Empty counts as not set, as the existing hub does.
    [[nodiscard]] std::optional<std::string> text(std::string_view name);

    void complain(std::string_view name, std::string_view value, std::string_view rule, std::string_view used);

    [[nodiscard]] std::vector<std::string> take_complaints() { return std::move(complaints_); }
    // Of all settings that were asked for.
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }

private:
    [[nodiscard]] std::optional<std::uint64_t> read_number(std::string_view name, std::uint64_t smallest,
                                                           std::uint64_t largest, std::uint64_t used);
    [[nodiscard]] std::optional<std::size_t> read_choice(std::string_view name,
                                                         const std::vector<std::string_view>& words, std::size_t used);

    const daemonapi::Environment& environment_;
    std::vector<std::string> complaints_;
    std::vector<std::string> names_;
};

}  // namespace skerry::hub
