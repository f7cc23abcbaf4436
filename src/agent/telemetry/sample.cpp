#include "agent/telemetry/sample.hpp"

#include "agent/plan.hpp"
#include "base/encoding.hpp"
#include "crypto/crypto.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace skerry::agent {

namespace {

constexpr std::size_t longest_line = 8 * 1024;
constexpr std::size_t most_labels = 64;

// "a=\"x\"" at the beginning of `text`, which it takes.
std::optional<std::pair<std::string, std::string>> take_label(std::string_view& text) {
    const auto equals = text.find("=\"");
    if (equals == text.npos || equals == 0) return std::nullopt;
    std::pair<std::string, std::string> label(text.substr(0, equals), "");
    auto at = equals + 2;
    for (; at < text.size() && text[at] != '"'; ++at) {
        if (text[at] == '\\' && ++at == text.size()) return std::nullopt;
        const bool line_break = text[at] == 'n' && text[at - 1] == '\\';
        label.second += line_break ? '\n' : text[at];
    }
    if (at >= text.size()) return std::nullopt;
    text.remove_prefix(at + 1);
    return label;
}

std::string hashed(std::string_view value) { return base64_encode(crypto::sha256(value)); }

// Names of the runtime's own parts say nothing about anybody.
std::string unless_ours(std::string_view value) {
    if (value.empty() || value.starts_with('$') || value == agent_name || value == hub_name) return std::string(value);
    return hashed(value);
}

// "device", or "device/<module>".
std::string path_of(std::string_view id) {
    const auto slash = id.find('/');
    return slash == id.npos ? "device" : "device/" + unless_ours(id.substr(slash + 1));
}

constexpr std::array<std::string_view, 3> dropped{"ms_telemetry", "iothub", "edge_device"};
// Their values are ours, or tell a kind of machine.
constexpr std::array<std::string_view, 13> plain{"instance_number",
                                                 "quantile",
                                                 "command",
                                                 "priority",
                                                 "source",
                                                 "target",
                                                 "operation",
                                                 "reason",
                                                 "disk_filesystem",
                                                 "disk_filetype",
                                                 "edge_agent_version",
                                                 "experimental_features",
                                                 "host_information"};

bool contains(const auto& list, std::string_view name) { return std::ranges::find(list, name) != list.end(); }

}  // namespace

std::optional<Sample> parse_sample(std::string_view line) {
    if (line.empty() || line.front() == '#' || line.size() > longest_line) return std::nullopt;
    const auto name_end = line.find_first_of("{ ");
    if (name_end == line.npos || name_end == 0) return std::nullopt;
    Sample sample{.name = std::string(line.substr(0, name_end)), .labels = {}, .value = 0};
    auto rest = line.substr(name_end);
    if (rest.starts_with("{}")) {
        rest.remove_prefix(2);
    } else if (rest.front() == '{') {
        do {
            rest.remove_prefix(1);
            auto label = take_label(rest);
            if (!label || sample.labels.size() >= most_labels) return std::nullopt;
            if (!sample.labels.insert(std::move(*label)).second) return std::nullopt;
        } while (rest.starts_with(','));
        if (!rest.starts_with('}')) return std::nullopt;
        rest.remove_prefix(1);
    }
    if (!rest.starts_with(' ')) return std::nullopt;
    rest.remove_prefix(1);
    rest = rest.substr(0, rest.find(' '));  // a time may follow
    const auto [end, failed] = std::from_chars(rest.data(), rest.data() + rest.size(), sample.value);
    if (failed != std::errc() || end != rest.data() + rest.size()) return std::nullopt;
    return sample;
}

std::optional<Sample> scrub(Sample sample) {
    const auto wanted = sample.labels.find("ms_telemetry");
    if (wanted == sample.labels.end() || !equals_ignoring_case(wanted->second, "True")) return std::nullopt;
    const auto quantile = sample.labels.find("quantile");
    if (quantile != sample.labels.end() && quantile->second != "0.9") return std::nullopt;
    if (!std::isfinite(sample.value)) return std::nullopt;
    for (const auto name : dropped) sample.labels.erase(std::string(name));
    for (auto& [name, value] : sample.labels) {
        if (name == "id")
            value = path_of(value);
        else if (!contains(plain, name))
            value = unless_ours(value);
    }
    return sample;
}

void Lines::feed(std::string_view bytes, const std::function<void(std::string_view line)>& on_line) {
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        const auto piece = bytes.substr(0, end);
        too_long_ = too_long_ || open_.size() + piece.size() > longest_line;
        if (!too_long_) open_ += piece;
        if (end == bytes.npos) return;
        if (!too_long_) on_line(open_);
        open_.clear();
        too_long_ = false;
        bytes.remove_prefix(end + 1);
    }
}

}  // namespace skerry::agent
