#include "agent/failures.hpp"

#include <algorithm>

namespace skerry::agent {

namespace {

struct Doing {
    std::string_view operator()(const EnsureIdentity&) const { return "waits for its identity"; }
    std::string_view operator()(const DeleteIdentity&) const { return "deleting its identity"; }
    std::string_view operator()(const Prepare&) const { return "getting its image"; }
    std::string_view operator()(const Create&) const { return "creating it"; }
    std::string_view operator()(const Update&) const { return "updating it"; }
    std::string_view operator()(const UpdateAgent&) const { return "updating it"; }
    std::string_view operator()(const Start&) const { return "starting it"; }
    std::string_view operator()(const Stop&) const { return "stopping it"; }
    std::string_view operator()(const Restart&) const { return "restarting it"; }
    std::string_view operator()(const Revive&) const { return "restarting it"; }
    std::string_view operator()(const Remove&) const { return "removing it"; }
    std::string_view operator()(const ForgetRestarts&) const { return "forgetting its restarts"; }
};

void append(std::string& text, std::string_view more) {
    if (!text.empty()) text += "; ";
    text += more;
}

}  // namespace

std::string describe_failure(const Command& command, const Error& why) {
    return std::string(std::visit(Doing{}, command)) + ": " + why.text;
}

Failures::Kind Failures::kind_of(const Command& command) {
    return is_supervision(command) ? Kind::running : Kind::deploying;
}

void Failures::failed(const Command& command, const Error& why, const RestartSettings& settings, SteadyTime now) {
    auto& entry = entries_[{module_of(command), kind_of(command)}];
    entry.until = now + restart_delay(entry.times, settings);
    entry.times = std::min(entry.times + 1, 1'000'000);
    entry.text = describe_failure(command, why);
}

void Failures::succeeded(const Command& command) {
    // An identity or an image alone does not end the trouble of a deployment: the module has to be there.
    if (std::holds_alternative<EnsureIdentity>(command) || std::holds_alternative<Prepare>(command)) return;
    entries_.erase({module_of(command), kind_of(command)});
}

void Failures::settle(const std::function<bool(const std::string& module)>& deployed,
                      const std::function<bool(const std::string& module)>& runs) {
    std::erase_if(entries_, [&](const auto& entry) {
        const auto& [module, kind] = entry.first;
        return kind == Kind::deploying ? deployed(module) : runs(module);
    });
}

void Failures::retry_deploying(SteadyTime now) {
    for (auto& [key, entry] : entries_)
        if (key.second == Kind::deploying) entry.until = std::min(entry.until, now);
}

std::map<std::string, Holdback> Failures::held(SteadyTime now) const {
    std::map<std::string, Holdback> result;
    for (const auto& [key, entry] : entries_) {
        const auto left = std::max<Duration>(entry.until - now, Duration{});
        auto& holdback = result[key.first];
        (key.second == Kind::deploying ? holdback.deploying : holdback.running) = left;
    }
    return result;
}

std::string Failures::text() const {
    std::string text;
    for (const auto& [key, entry] : entries_) append(text, "module '" + key.first + "': " + entry.text);
    return text;
}

std::string Failures::text_of(const std::string& module) const {
    std::string text;
    for (const auto kind : {Kind::deploying, Kind::running})
        if (const auto found = entries_.find({module, kind}); found != entries_.end()) append(text, found->second.text);
    return text;
}

}  // namespace skerry::agent
