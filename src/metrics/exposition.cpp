#include "metrics/exposition.hpp"

#include <fmt/format.h>

#include <cmath>

namespace skerry::metrics {

namespace {
std::string number_text(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    return fmt::format("{}", value);
}
}  // namespace

std::string label_text(Labels labels) {
    std::string text;
    for (const auto& [name, value] : labels) {
        if (!text.empty()) text += ',';
        text += name;
        text += "=\"";
        for (const char c : value) {
            if (c == '\\' || c == '"') text += '\\';
            if (c == '\n')
                text += "\\n";
            else
                text += c;
        }
        text += '"';
    }
    return text;
}

void Exposition::family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}

void Exposition::line(std::string_view suffix, std::string_view labels, std::string_view more, std::string_view value) {
    text_ += name_;
    text_ += suffix;
    char before = '{';
    for (const auto part : {labels, more, std::string_view(common_)}) {
        if (part.empty()) continue;
        text_ += before;
        text_ += part;
        before = ',';
    }
    if (before == ',') text_ += '}';
    text_ += ' ';
    text_ += value;
    text_ += '\n';
}

void Exposition::sample(std::string_view labels, std::uint64_t value) { line("", labels, "", std::to_string(value)); }

void Exposition::sample(std::string_view labels, double value) { line("", labels, "", number_text(value)); }

void Exposition::sample(std::string_view labels, const Summary& summary) {
    for (const double q : {0.1, 0.5, 0.9, 0.99})
        line("", labels, fmt::format("quantile=\"{}\"", q), number_text(summary.quantile(q)));
    line("_sum", labels, "", number_text(summary.sum()));
    line("_count", labels, "", std::to_string(summary.count()));
}

void Exposition::sample(std::string_view labels, const Histogram& histogram) {
    std::uint64_t sum = 0;
    const auto bounds = histogram.bounds();
    for (std::size_t n = 0; n <= bounds.size(); ++n) {
        sum += histogram.count(n);
        const auto bound = n < bounds.size() ? number_text(bounds[n]) : "+Inf";
        line("_bucket", labels, fmt::format("le=\"{}\"", bound), std::to_string(sum));
    }
    line("_sum", labels, "", number_text(histogram.sum()));
    line("_count", labels, "", std::to_string(sum));
}

}  // namespace skerry::metrics
