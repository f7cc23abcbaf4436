#include "cli/up/view.hpp"

#include <fmt/core.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace skerry::cli {

View::View(Clock& clock) : clock_(clock), started_(clock.steady()), terminal_(::isatty(STDOUT_FILENO) == 1) {}

double View::seconds() const { return std::chrono::duration<double>(clock_.steady() - started_).count(); }

void View::step(std::string_view name, std::string_view text) {
    end_live();
    fmt::print("  {:<8} {:<58} {:6.2f} s\n", name, text, seconds());
    std::fflush(stdout);
}

void View::note(std::string_view text) {
    end_live();
    fmt::print("{}\n", text);
    std::fflush(stdout);
}

void View::live(const Totals& totals, std::string_view last_message) {
    const double interval = terminal_ ? 0.25 : 2.0;
    const double now = seconds();
    if (drawn_ && now - *drawn_ < interval) return;
    draw(totals, last_message, now);
    drawn_ = now;
}

namespace {
// "  120   9.8/s"
std::string count_and_rate(std::size_t count, std::size_t before, double seconds) {
    const auto fresh = static_cast<double>(count - std::min(before, count));
    return fmt::format("{:>7} {:>7.1f}/s", count, seconds > 0 ? fresh / seconds : 0.0);
}
}  // namespace

void View::draw(const Totals& totals, std::string_view last_message, double now) {
    if (!drawn_)
        fmt::print("\n  {:>5}  {:>17}  {:>17}  {:>17}  {}\n", "time", "sensor -> filter", "filter -> cloud",
                   "in the cloud", "last message there");
    const double elapsed = now - previous_at_;
    constexpr std::size_t message_columns = 60;
    const auto line = fmt::format(
        "  {:>4.0f}s  {:>17}  {:>17}  {:>17}  {}", now, count_and_rate(totals.sent, previous_.sent, elapsed),
        count_and_rate(totals.passed, previous_.passed, elapsed),
        count_and_rate(totals.received, previous_.received, elapsed), last_message.substr(0, message_columns));
    if (terminal_)
        fmt::print("\r{:<132}", line);
    else
        fmt::print("{}\n", line);
    line_open_ = terminal_;
    std::fflush(stdout);
    // A rate over a second or so does not flicker.
    if (elapsed >= 1.0) {
        previous_ = totals;
        previous_at_ = now;
    }
}

void View::end_live() {
    if (line_open_) fmt::print("\n");
    line_open_ = false;
}

void View::summary(const Totals& totals) {
    end_live();
    fmt::print("\nsent {}\npassed {}\nreceived {}\nduplicates {}\nlost {}\n", totals.sent, totals.passed,
               totals.received, totals.duplicates, totals.lost);
    std::fflush(stdout);
}

}  // namespace skerry::cli
