#include "daemon/identities.hpp"

#include "base/backoff.hpp"
#include "base/encoding.hpp"
#include "base/log.hpp"
#include "base/timeout.hpp"
#include "crypto/crypto.hpp"

#include <array>
#include <set>

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
constexpr std::size_t most_identities = 1024;
constexpr Duration list_limit = 15s;
constexpr Duration rest_after_failure = 30s;

bool is_away(const Error& error) { return error.code == Errc::unreachable || error.code == Errc::timeout; }
}  // namespace

std::span<const std::string_view> daemon_migrations() {
    static constexpr std::array<std::string_view, 1> migrations{R"(
        CREATE TABLE identities (module_id TEXT PRIMARY KEY, generation TEXT NOT NULL, managed_by TEXT NOT NULL)
            WITHOUT ROWID;
        CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    )"};
    return migrations;
}

Identities::Identities(Platform platform, storage::Database& database, const Keys& keys,
                       std::unique_ptr<iothub::RegistryClient> registry)
    : platform_(platform),
      database_(database),
      keys_(keys),
      registry_(std::move(registry)),
      locks_(platform.executor) {}

Result<bool> Identities::open(const std::string& hub, const std::string& device, const std::string& parent,
                              const std::string& hostname) {
    const auto ours = hub + '\n' + device + '\n' + parent + '\n' + hostname;
    const auto former = database_.query("SELECT value FROM facts WHERE name = 'device'");
    if (!former) return std::unexpected(former.error());
    const bool changed = !former->empty() && former->front().text(0) != ours;
    const auto saved = database_.transaction([&]() -> Result<> {
        if (changed)
            if (const auto emptied = database_.execute("DELETE FROM identities"); !emptied)
                return std::unexpected(emptied.error());
        const auto set = database_.execute("INSERT OR REPLACE INTO facts VALUES ('device', ?1)", {ours});
        if (!set) return std::unexpected(set.error());
        return {};
    });
    if (!saved) return std::unexpected(saved.error());
    const auto rows = database_.query("SELECT module_id, generation, managed_by FROM identities");
    if (!rows) return std::unexpected(rows.error());
    for (const auto& row : *rows) cache_[row.text(0)] = {row.text(0), row.text(1), row.text(2)};
    return changed;
}

std::optional<KnownIdentity> Identities::cached(std::string_view module_id) const {
    const auto found = cache_.find(module_id);
    if (found == cache_.end()) return std::nullopt;
    return found->second;
}

std::vector<KnownIdentity> Identities::all_cached() const {
    std::vector<KnownIdentity> all;
    for (const auto& [id, identity] : cache_) all.push_back(identity);
    return all;
}

Result<> Identities::keep(const KnownIdentity& identity) {
    if (const auto found = cached(identity.module_id); found == identity) return {};
    if (cache_.size() >= most_identities && !cache_.contains(identity.module_id))
        return fail(Errc::full, "there are " + std::to_string(most_identities) + " module identities already");
    const auto saved = database_.execute("INSERT OR REPLACE INTO identities VALUES (?1, ?2, ?3)",
                                         {identity.module_id, identity.generation, identity.managed_by});
    if (!saved) return fail(saved.error().while_doing("keeping identity '" + identity.module_id + "'"));
    cache_[identity.module_id] = identity;
    return {};
}

Result<> Identities::forget(const std::string& module_id) {
    cache_.erase(module_id);
    const auto removed = database_.execute("DELETE FROM identities WHERE module_id = ?1", {module_id});
    if (!removed) return fail(removed.error().while_doing("forgetting identity '" + module_id + "'"));
    return {};
}

// The keys follow from the generation, which only the hub knows: so first the record, then our keys into it. A crash in
// between leaves the hub's own keys there; the next call puts ours.
Task<Result<KnownIdentity>> Identities::register_module(std::string module_id, std::string managed_by) {
    auto record = co_await registry_->get_module(module_id);
    if (!record && record.error().code == Errc::not_found)
        record = co_await registry_->create_module(module_id, managed_by);
    if (!record && record.error().code == Errc::conflict) record = co_await registry_->get_module(module_id);
    if (!record) co_return std::unexpected(record.error());

    const iothub::SymmetricKeys wanted{base64_encode(keys_.module_key(module_id, record->generation_id, "primary")),
                                       base64_encode(keys_.module_key(module_id, record->generation_id, "secondary"))};
    const bool same_keys = record->authentication_type == "sas" && record->keys.primary == wanted.primary &&
                           record->keys.secondary == wanted.secondary;
    if (!same_keys || (!managed_by.empty() && record->managed_by != managed_by)) {
        auto update = *record;
        update.authentication_type = "sas";
        update.keys = wanted;
        if (!managed_by.empty()) update.managed_by = managed_by;
        record = co_await registry_->update_module(update);
        if (!record) co_return std::unexpected(record.error());
    }
    const KnownIdentity identity{module_id, record->generation_id, record->managed_by};
    if (const auto kept = keep(identity); !kept) co_return std::unexpected(kept.error());
    co_return identity;
}

Task<Result<KnownIdentity>> Identities::ensure(std::string module_id) {
    const auto guard = co_await locks_.lock(module_id);
    if (auto found = cached(module_id)) co_return std::move(*found);
    auto made = co_await register_module(module_id, "");
    if (!made) co_return fail(made.error().while_doing("identity '" + module_id + "'"));
    co_return made;
}

Task<Result<KnownIdentity>> Identities::update(std::string module_id, std::string managed_by) {
    const auto guard = co_await locks_.lock(module_id);
    auto updated = co_await register_module(module_id, std::move(managed_by));
    if (updated) co_return updated;
    if (is_away(updated.error()))
        if (auto found = cached(module_id)) co_return std::move(*found);
    co_return fail(updated.error().while_doing("identity '" + module_id + "'"));
}

Task<Result<>> Identities::remove(std::string module_id) {
    const auto guard = co_await locks_.lock(module_id);
    const auto removed = co_await registry_->delete_module(module_id);
    if (!removed && removed.error().code != Errc::not_found)
        co_return fail(removed.error().while_doing("deleting identity '" + module_id + "'"));
    co_return forget(module_id);
}

// What the hub lacks was deleted there; what has another generation was deleted and made again, with other keys.
Task<Result<>> Identities::reconcile(std::vector<iothub::ModuleIdentity> listed) {
    std::set<std::string> there;
    for (const auto& module : listed) {
        there.insert(module.module_id);
        const auto known = cached(module.module_id);
        if (!known || known->generation == module.generation_id) continue;
        log::warn("identity '{}' was made anew in the hub: its keys are set again", module.module_id);
        if (const auto set = co_await update(module.module_id, ""); !set) co_return std::unexpected(set.error());
    }
    for (const auto& known : all_cached())
        if (!there.contains(known.module_id))
            if (const auto gone = forget(known.module_id); !gone) co_return gone;
    co_return Result<>{};
}

Task<Result<std::vector<KnownIdentity>>> Identities::list() {
    const bool resting = unreachable_since_ && platform_.clock.steady() - *unreachable_since_ < rest_after_failure;
    if (resting && !cache_.empty()) co_return all_cached();
    auto listed = co_await with_timeout<std::vector<iothub::ModuleIdentity>>(platform_.clock, list_limit,
                                                                             registry_->list_modules());
    if (!listed) {
        if (!is_away(listed.error())) co_return fail(listed.error().while_doing("listing the device's identities"));
        unreachable_since_ = platform_.clock.steady();
        if (cache_.empty()) co_return fail(listed.error().while_doing("listing the device's identities"));
        co_return all_cached();
    }
    unreachable_since_.reset();
    if (const auto agreed = co_await reconcile(*listed); !agreed) co_return std::unexpected(agreed.error());
    std::vector<KnownIdentity> all;
    for (const auto& module : *listed) all.push_back({module.module_id, module.generation_id, module.managed_by});
    co_return all;
}

Task<Result<std::string>> Identities::sign(std::string module_id, std::string data) {
    auto identity = cached(module_id);
    if (!identity) {
        auto made = co_await ensure(module_id);
        if (!made) co_return std::unexpected(made.error());
        identity = std::move(*made);
    }
    co_return crypto::hmac_sha256(keys_.module_key(module_id, identity->generation, "primary"), data);
}

Task<> Identities::keep_fresh() {
    Backoff backoff(platform_.random, 5s, 5min);
    for (;;) {
        const auto listed = co_await list();
        const bool fresh = listed && !unreachable_since_;
        if (!listed && !is_away(listed.error())) log::warn("{}", listed.error().text);
        if (fresh) backoff.reset();
        co_await platform_.clock.sleep(fresh ? Duration(1h) : rest_after_failure + backoff.next());
    }
}

}  // namespace skerry::daemon
