#include "hub/own_twin.hpp"

#include "base/log.hpp"
#include "hub/version.hpp"
#include "model/hub_config.hpp"
#include "model/twin.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::hub {

namespace json = boost::json;

namespace {
constexpr std::size_t most_clients = 200;
constexpr std::size_t longest_description = 1000;

// Cut at a character's border.
std::string shortened(std::string text) {
    if (text.size() <= longest_description) return text;
    auto end = longest_description;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
    return text + "…";
}

std::int64_t version_of(const json::object& desired) {
    const auto* const version = desired.if_contains("$version");
    return version && version->is_int64() ? version->get_int64() : 0;
}
}  // namespace

std::string client_key(std::string_view id) {
    std::string key;
    for (const char c : id) {
        if (c == '.' || c == '$' || c == '#' || c == ' ' || c == '%')
            key += fmt::format("%{:02X}", static_cast<unsigned>(c));
        else
            key += c;
    }
    return key;
}

Task<std::uint64_t> stored_size_limit(StateStore& state, model::Identity own) {
    const auto text = co_await state.load(StateKind::twin, own.id());
    if (!text || !*text) co_return 0;
    const auto twin = model::parse_object(**text);
    const auto* const desired = twin ? twin->if_contains("desired") : nullptr;
    if (!desired || !desired->is_object()) co_return 0;
    const auto parsed = model::parse_hub_config(desired->get_object());
    co_return parsed ? parsed->config.store_limit_bytes.value_or(0) : 0;
}

OwnTwin::OwnTwin(model::Identity own, Twins& twins, Router& router, Pumps& pumps, Clock& clock, Executor executor,
                 Duration pause)
    : own_(std::move(own)),
      twins_(twins),
      router_(router),
      pumps_(pumps),
      clock_(clock),
      pause_(pause),
      configured_(executor),
      news_(executor) {}

void OwnTwin::changed(bool confirmed) {
    confirmed_ = confirmed_ || confirmed;
    to_apply_ = true;
    news_.set();
}

Task<> OwnTwin::run() {
    for (;;) {
        co_await news_.wait();
        news_.reset();
        if (std::exchange(to_apply_, false)) co_await apply();
        co_await report();
        if (!to_apply_) co_await clock_.sleep(pause_);
    }
}

Task<> OwnTwin::apply() {
    const auto* const desired = twins_.desired_of(own_);
    if (!desired) co_return;
    last_version_ = version_of(*desired);
    auto parsed = model::parse_hub_config(*desired);
    if (!parsed) {
        status_ = 400;
        description_ = shortened("Error while parsing desired properties - " + parsed.error().text);
        log::error("The hub's configuration (version {}) can't be used{}: {}", last_version_,
                   configured_.is_set() ? ", the one before stays" : "", parsed.error().text);
        co_return;
    }
    if (size_limit_) size_limit_(parsed->config.store_limit_bytes.value_or(0));
    auto problems = std::move(parsed->problems);
    for (auto& problem : router_.configure(parsed->config, own_)) problems.push_back(std::move(problem));
    std::string texts;
    for (const auto& problem : problems) {
        log::error("The hub's configuration (version {}): {}", last_version_, problem.text);
        texts += (texts.empty() ? "" : "; ") + problem.text;
    }
    status_ = problems.empty() ? 200 : 400;
    description_ = problems.empty() ? "" : shortened("Error while parsing desired properties - " + texts);
    for (const auto& note : parsed->notes) log::info("The hub's configuration (version {}): {}", last_version_, note);
    co_await pumps_.set_inputs(router_.inputs(), problems.empty() && confirmed_);
    log::info("Configuration version {} is in force: {} routes", last_version_, router_.size());
    configured_.set();
}

// --- reported

void OwnTwin::session_opened(Session& session) {
    clients_[session.identity().id()] = {
        .connected = true, .gone = false, .last_connected = format_rfc3339(clock_.wall(), 7), .last_disconnected = {}};
    forget_longest_away();
    news_.set();
}

// A module stays in the list, a device is left out: devices come and go.
void OwnTwin::session_ended(Session& session) {
    const auto found = clients_.find(session.identity().id());
    if (found == clients_.end()) return;
    if (session.identity().is_module() && !found->second.gone) {
        found->second.connected = false;
        found->second.last_disconnected = format_rfc3339(clock_.wall(), 7);
    } else {
        clients_.erase(found);
    }
    news_.set();
}

void OwnTwin::identity_gone(const model::Identity& identity) {
    const auto found = clients_.find(identity.id());
    if (found == clients_.end()) return;
    found->second.gone = true;
    if (found->second.connected) return;
    clients_.erase(found);
    news_.set();
}

void OwnTwin::forget_longest_away() {
    if (clients_.size() <= most_clients) return;
    const auto longest = std::ranges::min_element(clients_, {}, [](const auto& entry) {
        return std::pair(entry.second.connected, entry.second.last_disconnected);
    });
    clients_.erase(longest);
}

json::object OwnTwin::wanted() const {
    json::object clients;
    for (const auto& [id, client] : clients_) {
        json::object entry;
        entry["status"] = client.connected ? "Connected" : "Disconnected";
        if (!client.last_connected.empty()) entry["lastConnectedTimeUtc"] = client.last_connected;
        if (!client.last_disconnected.empty()) entry["lastDisconnectedTimeUtc"] = client.last_disconnected;
        clients[client_key(id)] = std::move(entry);
    }
    json::object reported;
    reported["schemaVersion"] = "1.0";
    reported["version"] = {{"version", version}, {"build", ""}, {"commit", ""}};
    reported["clients"] = std::move(clients);
    if (status_ != 0) {
        reported["lastDesiredVersion"] = last_version_;
        reported["lastDesiredStatus"] = {{"code", status_}, {"description", description_}};
    }
    return reported;
}

// What was reported by an earlier run and holds no more (clients, say) vanishes by the same comparison.
Task<> OwnTwin::report() {
    json::object actual;
    if (const auto* const known = twins_.reported_of(own_)) actual = *known;
    actual.erase("$version");
    actual.erase("$metadata");
    auto patch = model::diff(actual, wanted());
    if (patch.empty()) co_return;
    if (auto reported = co_await twins_.report(own_, std::move(patch)); !reported)
        log::error("The hub's own reported properties are refused: {}", reported.error().text);
}

}  // namespace skerry::hub
