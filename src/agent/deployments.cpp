#include "agent/deployments.hpp"

#include "base/log.hpp"

#include <fmt/format.h>
#include <boost/json/value.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace skerry::agent {

namespace json = boost::json;

namespace {

constexpr Duration before_saving_again = std::chrono::seconds(10);

std::string text_in(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::int64_t number_in(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_int64() ? value->as_int64() : 0;
}

const json::object* object_in(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value == nullptr ? nullptr : value->if_object();
}

bool same(const Deployment& a, const Deployment& b) { return a.version == b.version && a.digest == b.digest; }

}  // namespace

Deployments::Deployments(Parts parts) : parts_(std::move(parts)), policy_(parts_.defaults), save_(parts_.executor) {}

bool Deployments::take(const json::object& desired, std::int64_t version) {
    if (load_pending_) {  // whether it has failed already is written there
        early_ = StoredDeployment{.version = version, .desired = desired};
        return false;
    }
    auto made = make_deployment(desired, version, parts_.facts);
    if (!made) {
        log::warn("The deployment of version {} can't be used: {}", version, made.error().text);
        rejected_ = Rejected{.version = version, .why = std::move(made).error()};
        return false;
    }
    rejected_.reset();
    if (newest_ && same(*newest_, **made)) return false;
    log::info("The deployment of version {} is wanted now", version);
    save(unsaved_newest_, **made);
    stored_counts_.clear();
    try_out(std::move(*made));
    save_trial();
    return true;
}

void Deployments::try_out(Shared deployment) {
    newest_ = std::move(deployment);
    in_force_ = newest_;
    on_trial_ = true;
    policy_ = parts_.defaults.with(newest_->manifest.policy);
    probation_.reset();
}

Task<bool> Deployments::load() {
    if (!load_pending_) co_return false;
    auto newest = co_await parts_.store.load_deployment();
    auto good = newest ? co_await parts_.store.load_good() : Result<std::optional<StoredDeployment>>();
    if (!newest || !good) {
        log::debug("{}", newest ? good.error().text : newest.error().text);
        if (!load_failed_since_) load_failed_since_ = parts_.clock.steady();
        if (!early_ || parts_.clock.steady() - *load_failed_since_ < parts_.patience) co_return false;
        log::warn("The stored deployments can't be opened; the agent goes on without them");
        newest = std::nullopt;
        good = std::nullopt;
    }
    load_pending_ = false;
    settle(std::move(*newest), std::move(*good));
    const bool some = in_force_ != nullptr;
    if (const auto early = std::exchange(early_, std::nullopt)) co_return take(early->desired, early->version) || some;
    co_return some;
}

Deployments::Shared Deployments::made_from(const std::optional<StoredDeployment>& stored) const {
    if (!stored) return nullptr;
    auto made = make_deployment(stored->desired, stored->version, parts_.facts);
    if (made) return std::move(*made);
    log::warn("The stored deployment of version {} can't be used: {}", stored->version, made.error().text);
    return nullptr;
}

void Deployments::settle(std::optional<StoredDeployment> newest, std::optional<StoredDeployment> good) {
    const auto trial = parts_.store.load_trial();
    read_rollback(trial);
    read_images(trial);
    good_ = made_from(good);
    newest_ = made_from(newest);
    if (!newest_) {
        in_force_ = good_;
        return;
    }
    log::info("The stored deployment of version {} is used until the hub says otherwise", newest_->version);
    in_force_ = newest_;
    if (rolled_back()) {
        in_force_ = restored();
        return;
    }
    if (good_ && same(*good_, *newest_)) return;
    const auto* tried = object_in(trial, "trial");
    const bool known = tried != nullptr && number_in(*tried, "version") == newest_->version &&
                       text_in(*tried, "digest") == newest_->digest;
    if (!good_ && !known) {  // from an agent that knew no probation, where it was in force
        good_ = newest_;
        save(unsaved_good_, *good_);
        return;
    }
    try_out(newest_);
    if (known)
        if (const auto* counts = object_in(*tried, "modules")) stored_counts_ = *counts;
}

Deployments::Shared Deployments::restored() const {
    auto copy = std::make_shared<Deployment>(*good_);
    copy->restored = true;
    copy->images = good_images_;
    return copy;
}

std::string Deployments::good_fingerprint(const std::string& module) const {
    return good_ ? fingerprint_of(*good_, module) : std::string();
}

bool Deployments::rolled_back() const {
    return rollback_ && newest_ && good_ && rollback_->failed_version == newest_->version &&
           rollback_->failed_digest == newest_->digest;
}

bool Deployments::changes(const DesiredModule& module) const {
    const auto before = std::ranges::find(good_->modules, module.name, &DesiredModule::name);
    return before == good_->modules.end() || before->fingerprint != module.fingerprint ||
           (module.running && !before->running);
}

Probation& Deployments::probation(const std::function<bool(const std::string&)>& failed_before,
                                  const std::function<bool(const std::string&)>& there) {
    if (probation_) return *probation_;
    auto& made = probation_.emplace(policy_);
    if (!guarded()) return made;
    for (const auto& module : newest_->modules) {
        const bool known = stored_counts_.contains(module.name);
        const bool has_say = stored_counts_.empty() ? !failed_before(module.name) : known;
        if (module.running && changes(module) && has_say) made.watch(module.name, module.policy, there(module.name));
    }
    if (!stored_counts_.empty()) made.resume(stored_counts_);
    note_counts();
    return made;
}

void Deployments::note_counts() {
    const bool counted = probation_ && probation_->take_changed();
    if (std::exchange(images_changed_, false) || counted) save_trial();
}

void Deployments::note_good_image(const std::string& module, const std::string& id) {
    if (id.empty()) return;
    auto& noted = good_images_[module];
    if (noted == id) return;
    noted = id;
    images_changed_ = true;
}

void Deployments::passed() {
    log::info("The deployment of version {} has proved itself", newest_->version);
    on_trial_ = false;
    probation_.reset();
    good_ = newest_;
    rollback_.reset();
    good_images_.clear();
    save(unsaved_good_, *good_);
    save_trial();
}

void Deployments::failed(std::string module, std::string reason, std::string log) {
    log::error("The deployment of version {} failed, version {} comes back: module '{}': {}", newest_->version,
               good_->version, module, reason);
    rollback_ = Rollback{.failed_version = newest_->version,
                         .failed_digest = newest_->digest,
                         .restored_version = good_->version,
                         .module = std::move(module),
                         .reason = std::move(reason),
                         .log = std::move(log),
                         .time = parts_.clock.wall()};
    on_trial_ = false;
    probation_.reset();
    in_force_ = restored();
    save_trial();
}

json::object Deployments::rollback_report() const {
    if (!rollback_) return {};
    json::object report{{"failedVersion", rollback_->failed_version},
                        {"restoredVersion", rollback_->restored_version},
                        {"module", rollback_->module},
                        {"reason", rollback_->reason},
                        {"time", format_rfc3339(rollback_->time)}};
    if (!rollback_->log.empty()) report["log"] = rollback_->log;
    return report;
}

std::string Deployments::rollback_text() const {
    if (!rollback_) return {};
    auto text = fmt::format("version {} was rolled back to version {}: module '{}': {}", rollback_->failed_version,
                            rollback_->restored_version, rollback_->module, rollback_->reason);
    if (!rollback_->log.empty()) text += "; its last log lines:\n" + rollback_->log;
    return text;
}

void Deployments::save_trial() {
    json::object trial{{"format", 1}};
    if (on_trial_)
        trial["trial"] = json::object{{"version", newest_->version},
                                      {"digest", newest_->digest},
                                      {"modules", probation_ ? probation_->to_json() : stored_counts_}};
    if (rollback_) {
        auto record = rollback_report();
        record["failedDigest"] = rollback_->failed_digest;
        trial["rollback"] = std::move(record);
    }
    if (!good_images_.empty()) {
        json::object images;
        for (const auto& [module, id] : good_images_) images[module] = id;
        trial["images"] = std::move(images);
    }
    if (const auto done = parts_.store.save_trial(trial); !done)
        log::warn("Saving how the deployment does failed: {}", done.error().text);
}

void Deployments::read_rollback(const json::object& trial) {
    const auto* record = object_in(trial, "rollback");
    if (record == nullptr) return;
    rollback_ = Rollback{.failed_version = number_in(*record, "failedVersion"),
                         .failed_digest = text_in(*record, "failedDigest"),
                         .restored_version = number_in(*record, "restoredVersion"),
                         .module = text_in(*record, "module"),
                         .reason = text_in(*record, "reason"),
                         .log = text_in(*record, "log"),
                         .time = parse_rfc3339(text_in(*record, "time")).value_or(WallTime{})};
}

void Deployments::read_images(const json::object& trial) {
    const auto* images = object_in(trial, "images");
    if (images == nullptr) return;
    for (const auto& [module, id] : *images)
        if (id.is_string()) good_images_[module] = std::string(id.get_string());
}

void Deployments::save(std::optional<StoredDeployment>& slot, const Deployment& deployment) {
    slot = StoredDeployment{.version = deployment.version, .desired = deployment.desired};
    saved_ = false;
    save_.set();
}

Task<bool> Deployments::save_pending(bool good) {
    auto& slot = good ? unsaved_good_ : unsaved_newest_;
    auto saving = std::exchange(slot, std::nullopt);
    if (!saving) co_return true;
    const auto done = co_await (good ? parts_.store.save_good(*saving) : parts_.store.save_deployment(*saving));
    if (done) co_return true;
    log::warn("Saving the deployment of version {} failed: {}", saving->version, done.error().text);
    if (!slot) slot = std::move(saving);
    co_return false;
}

// The last good one first: with the newest one alone on disk there would be an older one to go back to.
Task<> Deployments::keep_saving() {
    for (;;) {
        co_await save_.wait();
        save_.reset();
        const bool good = co_await save_pending(true);
        const bool newest = co_await save_pending(false);
        if (save_.is_set()) continue;
        saved_ = true;
        parts_.on_saved();
        if (good && newest) continue;
        co_await parts_.clock.sleep(before_saving_again);
        save_.set();
    }
}

}  // namespace skerry::agent
