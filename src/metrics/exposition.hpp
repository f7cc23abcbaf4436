// Writes Prometheus' text format, version 0.0.4.
//
// Promise: names and labels can't break the format: label values are escaped, help texts are ours.
#pragma once

#include "metrics/histogram.hpp"
#include "metrics/summary.hpp"

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace skerry::metrics {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

// "a=\"1\",b=\"x\"".
[[nodiscard]] std::string label_text(Labels labels);

class Exposition {
public:
    // `common` (as label_text() gives it) stands behind every sample's own labels.
    explicit Exposition(std::string common) : common_(std::move(common)) {}

    // What follows belongs to it. `type`: counter, gauge, summary or histogram.
    void family(std::string_view name, std::string_view type, std::string_view help);
    void sample(std::string_view labels, std::uint64_t value);
    void sample(std::string_view labels, double value);
    void sample(std::string_view labels, const Summary& summary);
    void sample(std::string_view labels, const Histogram& histogram);

    [[nodiscard]] std::string take() { return std::move(text_); }

private:
    void line(std::string_view suffix, std::string_view labels, std::string_view more, std::string_view value);

    std::string common_;
    std::string name_;
    std::string text_;
};

}  // namespace skerry::metrics
