#include "daemon/agent_trial.hpp"

#include "base/log.hpp"
#include "daemonapi/shapes.hpp"
#include "model/twin.hpp"

#include <fmt/core.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <utility>

namespace skerry::daemon {

namespace json = boost::json;

namespace {

constexpr std::size_t longest_log = 1'000;

// Without the registry's password: the image is here already.
json::object kept(model::ModuleSpec spec) {
    spec.auth.clear();
    return daemonapi::to_json(spec);
}

json::object object_in(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_object() ? value->get_object() : json::object();
}

std::string text_in(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

void set_label(model::ModuleSpec& spec, std::string_view name, std::string value) {
    auto& labels = spec.create_options["Labels"];
    if (!labels.is_object()) labels.emplace_object();
    labels.get_object()[name] = std::move(value);
}

json::object with_image(json::object stored, const std::string& image) {
    auto spec = daemonapi::parse_module_spec(stored);
    if (!spec || image.empty()) return stored;
    set_label(*spec, image_label, image);
    return kept(std::move(*spec));
}

// The label that says what the failed one was made of.
std::string mark_of(const json::object& spec) {
    const auto parsed = daemonapi::parse_module_spec(spec);
    if (!parsed) return {};
    return text_in(object_in(parsed->create_options, "Labels"), spec_label);
}

}  // namespace

AgentTrial::AgentTrial(storage::Database& database, Clock& clock, Executor executor, Limits limits)
    : database_(database), clock_(clock), limits_(limits), news_(std::move(executor)) {
    const auto rows = database_.query("SELECT value FROM facts WHERE name = 'agent'");
    const auto stored = rows && !rows->empty() ? model::parse_object(rows->front().text(0)) : Result<json::object>();
    if (!stored) return;
    current_ = object_in(*stored, "current");
    previous_ = object_in(*stored, "previous");
    const auto* trial = stored->if_contains("trial");
    if (trial == nullptr || !trial->is_object()) return;
    trial_ = Trial{};
    const auto* ends = trial->get_object().if_contains("ends");
    if (ends != nullptr && ends->is_int64())
        trial_->ends = static_cast<int>(std::clamp<std::int64_t>(ends->get_int64(), 0, 100));
    trial_->given_up = text_in(trial->get_object(), "givenUp");
}

void AgentTrial::save() {
    json::object state{{"current", current_}, {"previous", previous_}};
    if (trial_) state["trial"] = json::object{{"ends", trial_->ends}, {"givenUp", trial_->given_up}};
    const auto kept_it =
        database_.execute("INSERT OR REPLACE INTO facts VALUES ('agent', ?1)", {json::serialize(state)});
    if (!kept_it) log::error("keeping what the agent was made of: {}", kept_it.error().text);
}

void AgentTrial::made(const model::ModuleSpec& spec) {
    current_ = kept(spec);
    previous_.clear();
    trial_.reset();
    save();
}

void AgentTrial::replaced(const model::ModuleSpec& next, const std::string& image) {
    if (!trial_) previous_ = with_image(std::move(current_), image);
    current_ = kept(next);
    trial_ = Trial{};
    trial_->begun = false;
    save();
}

void AgentTrial::begun() {
    if (trial_) trial_->begun = true;
}

void AgentTrial::undone() {
    current_ = std::move(previous_);
    previous_.clear();
    trial_.reset();
    save();
    news_.set();
}

void AgentTrial::asked() {
    if (!trial_ || trial_->asked_at || !trial_->running_since) return;
    trial_->asked_at = clock_.steady();
    news_.set();
}

void AgentTrial::runs() {
    if (trial_ && trial_->begun && !trial_->running_since) trial_->running_since = clock_.steady();
}

void AgentTrial::ended() {
    if (!trial_ || !trial_->running_since) return;
    ++trial_->ends;
    trial_->running_since.reset();
    trial_->asked_at.reset();
    save();
}

void AgentTrial::could_not_start() {
    if (!trial_ || !trial_->begun) return;
    ++trial_->ends;
    save();
}

void AgentTrial::give_up(std::string reason) {
    if (!trial_) return;
    trial_->given_up = std::move(reason);
    save();
    news_.set();
}

AgentTrial::Verdict AgentTrial::judge() {
    using Kind = Verdict::Kind;
    if (!trial_) return {};
    if (!trial_->given_up.empty()) return {Kind::failed, trial_->given_up, {}};
    if (trial_->ends > ends_allowed)
        return {Kind::failed, fmt::format("it ended {} times before it had proved itself", trial_->ends), {}};
    const auto now = clock_.steady();
    if (trial_->asked_at) {
        const auto left = *trial_->asked_at + limits_.proof - now;
        if (left > Duration{}) return {Kind::pending, {}, left};
        log::info("the new agent has proved itself");
        previous_.clear();
        trial_.reset();
        save();
        return {Kind::proved, {}, {}};
    }
    if (!trial_->running_since) return {Kind::pending, {}, {}};
    const auto left = *trial_->running_since + limits_.silence - now;
    if (left > Duration{}) return {Kind::pending, {}, left};
    return {Kind::failed,
            fmt::format("it asked for no modules within {} s", limits_.silence / std::chrono::seconds(1)),
            {}};
}

std::optional<model::ModuleSpec> AgentTrial::current() const {
    auto spec = daemonapi::parse_module_spec(current_);
    if (!spec) return std::nullopt;
    spec->pull_policy = model::PullPolicy::never;
    return std::move(*spec);
}

std::optional<model::ModuleSpec> AgentTrial::previous(const std::string& reason, const std::string& log) const {
    auto spec = daemonapi::parse_module_spec(previous_);
    const json::object label{{"spec", mark_of(current_)},
                             {"reason", reason},
                             {"log", log.substr(log.size() - std::min(log.size(), longest_log))}};
    if (!spec) return std::nullopt;
    set_label(*spec, brought_back_label, json::serialize(label));
    spec->pull_policy = model::PullPolicy::never;
    return std::move(*spec);
}

}  // namespace skerry::daemon
