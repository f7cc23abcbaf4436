#include "agent/telemetry/aggregate.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace skerry::agent {

namespace {

constexpr std::size_t most_series = 2'000;

struct Rule {
    std::string_view name;
    bool average;
    std::array<std::string_view, 4> without;
};

// agent-and-daemon.md 4.5.
constexpr std::array<Rule, 14> rules{{
    {"edgehub_gettwin_total", false, {"id"}},
    {"edgehub_messages_received_total", false, {"route_output", "id"}},
    {"edgehub_messages_sent_total", false, {"from", "to", "from_route_output", "to_route_input"}},
    {"edgehub_direct_methods_total", false, {"from", "to"}},
    {"edgehub_queue_length", false, {"endpoint"}},
    {"edgehub_messages_dropped_total", false, {"from", "from_route_output"}},
    {"edgehub_messages_unack_total", false, {"from", "from_route_output"}},
    {"edgehub_client_connect_failed_total", false, {"id"}},
    {"edgehub_message_size_bytes", true, {"id"}},
    {"edgehub_message_size_bytes_sum", true, {"id"}},
    {"edgehub_message_size_bytes_count", true, {"id"}},
    {"edgehub_message_process_duration_seconds", true, {"from", "to"}},
    {"edgehub_message_process_duration_seconds_sum", true, {"from", "to"}},
    {"edgehub_message_process_duration_seconds_count", true, {"from", "to"}},
}};

}  // namespace

void Aggregate::add(Sample sample) {
    const auto rule = std::ranges::find(rules, std::string_view(sample.name), &Rule::name);
    if (rule != rules.end())
        for (const auto label : rule->without) sample.labels.erase(std::string(label));
    Key key(std::move(sample.name), std::move(sample.labels));
    const auto known = sums_.find(key);
    if (known == sums_.end() && sums_.size() >= most_series) return;
    auto& sum = known == sums_.end() ? sums_[std::move(key)] : known->second;
    sum.average = rule != rules.end() && rule->average;
    // Without a rule there is one of a kind: the last one counts.
    sum.value = rule == rules.end() ? sample.value : sum.value + sample.value;
    ++sum.count;
}

std::vector<Sample> Aggregate::take() {
    std::vector<Sample> all;
    for (auto& [key, sum] : sums_) {
        const auto value = sum.average ? sum.value / static_cast<double>(sum.count) : sum.value;
        all.push_back({.name = key.first, .labels = key.second, .value = value});
    }
    sums_.clear();
    return all;
}

}  // namespace skerry::agent
