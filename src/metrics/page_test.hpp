// For tests: reads Prometheus' text format as strictly as its documentation words it, and fails the test otherwise.
#pragma once

#include <doctest/doctest.h>

#include <charconv>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace skerry::metrics::testing {

class Page {
public:
    using Labels = std::map<std::string, std::string>;

    // `odd`: families whose names do not say that they are counters, or do say so and are none.
    explicit Page(std::string_view text, std::set<std::string> odd = {}) : odd_(std::move(odd)) {
        REQUIRE(text.ends_with('\n'));
        while (!text.empty()) {
            line_ = text.substr(0, text.find('\n'));
            text.remove_prefix(line_.size() + 1);
            CAPTURE(line_);
            if (line_.starts_with("# "))
                comment();
            else
                sample();
        }
        end_family();
    }

    [[nodiscard]] const std::map<std::string, std::string>& types() const { return types_; }
    [[nodiscard]] const std::map<std::pair<std::string, Labels>, double>& samples() const { return samples_; }

private:
    void comment() {
        const bool help = line_.starts_with("# HELP ");
        REQUIRE((help || line_.starts_with("# TYPE ")));
        const auto rest = line_.substr(7);
        const auto name = std::string(rest.substr(0, rest.find(' ')));
        const auto words = rest.substr(name.size() + 1);
        if (help) {
            end_family();
            CHECK(helped_.insert(name).second);
            CHECK_FALSE(words.contains('\\'));
        } else {
            CHECK(helped_.contains(name));
            CHECK(types_.emplace(name, words).second);
            CHECK((words == "counter" || words == "gauge" || words == "summary" || words == "histogram"));
            CHECK((odd_.contains(name) || name.ends_with("_total") == (words == "counter")));
            family_ = name;
        }
    }

    static bool is_name(std::string_view name) {
        const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
        for (const char c : name)
            if (!is_letter(c) && !(c >= '0' && c <= '9')) return false;
        return !name.empty() && is_letter(name.front());
    }

    void sample() {
        const auto name = std::string(line_.substr(0, line_.find_first_of("{ ")));
        CHECK(is_name(name));
        auto rest = line_.substr(name.size());
        const auto labels = read_labels(rest);
        REQUIRE(rest.starts_with(' '));
        const auto value = number(rest.substr(1));
        CHECK_MESSAGE(samples_.emplace(std::pair(name, labels), value).second, "a series twice");
        belongs(name, labels, value);
    }

    Labels read_labels(std::string_view& rest) {
        Labels labels;
        if (!rest.starts_with('{')) return labels;
        do {
            rest.remove_prefix(1);
            const auto name = rest.substr(0, rest.find('='));
            CHECK(is_name(name));
            rest.remove_prefix(name.size() + 1);
            CHECK_MESSAGE(labels.emplace(name, read_quoted(rest)).second, "a label twice");
        } while (rest.starts_with(','));
        REQUIRE(rest.starts_with('}'));
        rest.remove_prefix(1);
        return labels;
    }

    std::string read_quoted(std::string_view& rest) {
        REQUIRE(rest.starts_with('"'));
        std::string value;
        std::size_t at = 1;
        for (; at < rest.size() && rest[at] != '"'; ++at) {
            if (rest[at] != '\\') {
                value += rest[at];
                continue;
            }
            ++at;
            REQUIRE(at < rest.size());
            CHECK((rest[at] == '\\' || rest[at] == '"' || rest[at] == 'n'));
            value += rest[at] == 'n' ? '\n' : rest[at];
        }
        REQUIRE(at < rest.size());
        rest.remove_prefix(at + 1);
        return value;
    }

    static double number(std::string_view text) {
        if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
        if (text == "+Inf") return std::numeric_limits<double>::infinity();
        double value = 0;
        const auto [stop, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
        CHECK(failed == std::errc{});
        CHECK(stop == text.data() + text.size());
        return value;
    }

    // Each sample stands under its family, with the names that its type has.
    void belongs(const std::string& name, Labels labels, double value) {
        REQUIRE(types_.contains(family_));
        const auto& type = types_[family_];
        if (type == "counter" || type == "gauge") {
            CHECK(name == family_);
            CHECK((type == "gauge" || value >= 0));
            return;
        }
        const auto part = name == family_ ? std::string_view() : std::string_view(name).substr(family_.size());
        CHECK(name.starts_with(family_));
        if (type == "summary") {
            CHECK((part == "_sum" || part == "_count" || (part.empty() && labels.contains("quantile"))));
            return;
        }
        if (part == "_sum") return;
        if (part == "_bucket") {
            REQUIRE(labels.contains("le"));
            const auto bound = number(labels["le"]);
            labels.erase("le");
            auto& [last_bound, count] = buckets_.try_emplace(labels, -1.0, 0.0).first->second;
            CHECK(bound > last_bound);
            CHECK(value >= count);
            last_bound = bound;
            count = value;
            return;
        }
        CHECK(part == "_count");
        CHECK(buckets_[labels] == std::pair(std::numeric_limits<double>::infinity(), value));
    }

    void end_family() { buckets_.clear(); }

    std::set<std::string> odd_;
    std::string_view line_;
    std::string family_;
    std::set<std::string> helped_;
    std::map<std::string, std::string> types_;
    std::map<std::pair<std::string, Labels>, double> samples_;
    std::map<Labels, std::pair<double, double>> buckets_;  // of one histogram
};

}  // namespace skerry::metrics::testing
