// What a person sees of `skerry up`: steps while it starts, a live table while messages flow, the summary at the end.
// On a terminal the live line is redrawn in place; elsewhere a line is written every few seconds.
#pragma once

#include "base/clock.hpp"
#include "cli/up/ledger.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace skerry::cli {

class View {
public:
    explicit View(Clock& clock);

    // "  cloud    ready                     0.08 s"
    void step(std::string_view name, std::string_view text);
    void note(std::string_view text);

    // Call about ten times a second; decides itself when to draw.
    void live(const Totals& totals, std::string_view last_message);
    void end_live();

    // The last lines, each on a line of its own, that scripts read.
    void summary(const Totals& totals);

    [[nodiscard]] double seconds() const;

private:
    void draw(const Totals& totals, std::string_view last_message, double now);

    Clock& clock_;
    SteadyTime started_;
    bool terminal_;
    bool line_open_{false};
    std::optional<double> drawn_;
    Totals previous_;
    double previous_at_{0};
};

}  // namespace skerry::cli
