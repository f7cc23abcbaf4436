#include "agent/history.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

namespace skerry::agent {

namespace json = boost::json;

namespace {

using model::RuntimeState;

// A module that was down when the agent came, with no word of since when, has been so for long enough.
constexpr Duration long_time = std::chrono::hours(24);

constexpr std::size_t most_leaving = 1024;

std::int64_t ticks(WallTime time) { return time.time_since_epoch().count(); }

std::optional<std::int64_t> integer(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    if (value == nullptr || !value->is_int64()) return std::nullopt;
    return value->as_int64();
}

std::optional<WallTime> time_member(const json::object& object, std::string_view name) {
    const auto value = integer(object, name);
    if (!value) return std::nullopt;
    return WallTime(WallTime::duration(*value));
}

Duration elapsed(std::optional<WallTime> since, WallTime now) {
    return since && *since < now ? std::chrono::duration_cast<Duration>(now - *since) : Duration{};
}

json::object record_json(const ModuleRecord& record) {
    json::object object{{"restarts", record.restarts}};
    if (record.last_restart) object["lastRestart"] = ticks(*record.last_restart);
    if (record.held) object["held"] = true;
    if (record.completed) object["completed"] = ticks(*record.completed);
    if (record.last_end) object["lastEnd"] = ticks(*record.last_end);
    return object;
}

ModuleRecord record_of(const json::object& object) {
    ModuleRecord record;
    record.restarts = static_cast<int>(std::clamp<std::int64_t>(integer(object, "restarts").value_or(0), 0, 1'000'000));
    record.last_restart = time_member(object, "lastRestart");
    const auto* held = object.if_contains("held");
    record.held = held != nullptr && held->is_bool() && held->as_bool();
    record.completed = time_member(object, "completed");
    record.last_end = time_member(object, "lastEnd");
    return record;
}

}  // namespace

History::Seen& History::look(const model::ModuleStatus& status, Now now) {
    const auto [entry, first] = seen_.try_emplace(status.name);
    auto& seen = entry->second;
    if (first || seen.state != status.state || seen.started != status.started || seen.exited != status.exited) {
        if (!first) note_end(status, seen, now);
        seen = {.state = status.state,
                .started = status.started,
                .exited = status.exited,
                .since = now.steady,
                .health = status.health,
                .health_since = now.steady,
                .ran = seen.ran || status.state == RuntimeState::running,
                .long_ago = first,
                .unwatched = first && status.exited && status.exited != record(status.name).last_end};
    }
    if (seen.health != status.health) {
        seen.health = status.health;
        seen.health_since = now.steady;
    }
    return seen;
}

void History::note_end(const model::ModuleStatus& status, const Seen& seen, Now now) {
    if (status.state == RuntimeState::running) return;
    if (status.exited && record(status.name).last_end != status.exited) edit(status.name).last_end = status.exited;
    const bool ended_well = status.state == RuntimeState::stopped && status.exit_code == 0;
    if (!ended_well || !seen.ran || record(status.name).held) return;
    edit(status.name).completed = status.exited.value_or(now.wall);
}

Health History::observe(const model::ModuleStatus& status, Now now) {
    const auto& seen = look(status, now);
    const auto& known = record(status.name);
    const auto watched = seen.long_ago && !status.exited && !seen.ran ? long_time : now.steady - seen.since;
    const bool ended = status.started || status.exited || status.exit_code;
    return {.state = status.state,
            .ever_started = seen.ran || ended,
            .held = known.held,
            .completed = known.completed && (!status.exited || known.completed == status.exited),
            .unwatched = seen.unwatched,
            .restarts = known.restarts,
            .down_for = std::max<Duration>(watched, elapsed(status.exited, now.wall)),
            .up_for = std::max<Duration>(now.steady - seen.since, elapsed(status.started, now.wall)),
            .engine = status.state == RuntimeState::running ? status.health : model::Health::none,
            .unhealthy_for = now.steady - seen.health_since};
}

void History::succeeded(const Command& command, Now now) {
    const auto& module = module_of(command);
    if (std::holds_alternative<Start>(command)) {
        if (record(module).held || record(module).completed) {
            edit(module).held = false;
            edit(module).completed.reset();
        }
        auto& seen = seen_[module];
        seen.since = now.steady;
        seen.ran = true;
        seen.long_ago = false;
        seen.unwatched = false;
    } else if (std::holds_alternative<Stop>(command)) {
        edit(module).held = true;
    } else if (std::holds_alternative<ForgetRestarts>(command)) {
        edit(module).restarts = 0;
        edit(module).last_restart.reset();
    } else if (std::holds_alternative<Remove>(command) || std::holds_alternative<Create>(command) ||
               std::holds_alternative<Update>(command)) {
        changed_ |= records_.erase(module) > 0;
        seen_.erase(module);
        // The hub's own identity belongs to the device: IoT Hub deletes it with that only.
        if (std::holds_alternative<Remove>(command) && module != hub_name && leaving_.size() < most_leaving)
            changed_ |= leaving_.insert(module).second;
        if (!std::holds_alternative<Remove>(command)) changed_ |= leaving_.erase(module) > 0;
    } else if (std::holds_alternative<DeleteIdentity>(command)) {
        changed_ |= leaving_.erase(module) > 0;
    }
}

void History::restart_tried(const std::string& module, Now now) {
    auto& record = edit(module);
    record.restarts = std::min(record.restarts + 1, 1'000'000);
    record.last_restart = now.wall;
    record.completed.reset();
    auto& seen = seen_[module];
    seen.since = now.steady;
    seen.ran = true;
    seen.long_ago = false;
    seen.unwatched = false;
}

void History::agent_update_tried(const std::string& fingerprint, Now now) {
    if (agent_update_.fingerprint != fingerprint) agent_update_ = {.fingerprint = fingerprint, .tries = 0, .last = {}};
    agent_update_.tries = std::min(agent_update_.tries + 1, 1'000'000);
    agent_update_.last = now.wall;
    changed_ = true;
}

Duration History::agent_holdback(const std::string& fingerprint, const RestartSettings& settings, Now now) const {
    if (agent_update_.tries == 0 || agent_update_.fingerprint != fingerprint) return {};
    // The daemon needs a while to replace us; and a clock that jumped back must not hold the update off for long.
    const auto delay = std::max<Duration>(std::chrono::minutes(1), restart_delay(agent_update_.tries, settings));
    return std::clamp<Duration>(delay - (now.wall - agent_update_.last), Duration{}, delay);
}

int History::agent_tries(const std::string& fingerprint) const {
    return agent_update_.fingerprint == fingerprint ? agent_update_.tries : 0;
}

void History::prune(const std::function<bool(const std::string& module)>& keep) {
    changed_ |= std::erase_if(records_, [&](const auto& entry) { return !keep(entry.first); }) > 0;
    std::erase_if(seen_, [&](const auto& entry) { return !keep(entry.first); });
}

const ModuleRecord& History::record(const std::string& module) const {
    static const ModuleRecord none;
    const auto found = records_.find(module);
    return found == records_.end() ? none : found->second;
}

ModuleRecord& History::edit(const std::string& module) {
    changed_ = true;
    return records_[module];
}

bool History::take_changed() { return std::exchange(changed_, false); }

json::object History::to_json() const {
    json::object modules;
    for (const auto& [name, record] : records_) modules[name] = record_json(record);
    json::array leaving;
    for (const auto& name : leaving_) leaving.emplace_back(name);
    json::object result{{"modules", std::move(modules)}, {"leaving", std::move(leaving)}};
    if (agent_update_.tries > 0)
        result["agentUpdate"] = json::object{{"fingerprint", agent_update_.fingerprint},
                                             {"tries", agent_update_.tries},
                                             {"last", ticks(agent_update_.last)}};
    return result;
}

History History::from_json(const json::object& json) {
    History history;
    if (const auto* modules = json.if_contains("modules"); modules != nullptr && modules->is_object())
        for (const auto& [name, record] : modules->as_object())
            if (record.is_object()) history.records_[name] = record_of(record.as_object());
    if (const auto* leaving = json.if_contains("leaving"); leaving != nullptr && leaving->is_array())
        for (const auto& name : leaving->as_array())
            if (name.is_string() && name.as_string() != hub_name) history.leaving_.emplace(name.as_string());
    const auto* update = json.if_contains("agentUpdate");
    if (update == nullptr || !update->is_object()) return history;
    const auto& tried = update->as_object();
    const auto* fingerprint = tried.if_contains("fingerprint");
    if (fingerprint == nullptr || !fingerprint->is_string()) return history;
    history.agent_update_.fingerprint = fingerprint->as_string();
    history.agent_update_.tries =
        static_cast<int>(std::clamp<std::int64_t>(integer(tried, "tries").value_or(0), 0, 1'000'000));
    history.agent_update_.last = time_member(tried, "last").value_or(WallTime{});
    return history;
}

}  // namespace skerry::agent
