// The device's module identities: what the hub knows of them, kept on disk, so that nothing needs the hub twice.
//
// Promises: signing never asks the hub for a module that was known before. The hub and the cache agree after every call
//           that reached the hub; a call that could not reach it is answered from the cache where that is possible.
// Bounds:   1024 identities.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "daemon/keys.hpp"
#include "engine/keyed_lock.hpp"
#include "iothub/registry_client.hpp"
#include "platform/platform.hpp"
#include "storage/database.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::daemon {

struct KnownIdentity {
    std::string module_id;
    std::string generation;
    std::string managed_by;
    bool operator==(const KnownIdentity&) const = default;
};

class Identities {
public:
    Identities(Platform platform, storage::Database& database, const Keys& keys,
               std::unique_ptr<iothub::RegistryClient> registry);

    // Reads the cache. True: the identities cached were another device's (or this host had another name); they are
    // gone, and so must be everything that was made with them.
    [[nodiscard]] Result<bool> open(const std::string& hub, const std::string& device, const std::string& parent,
                                    const std::string& hostname);

    [[nodiscard]] std::optional<KnownIdentity> cached(std::string_view module_id) const;
    // From the cache, else from the hub, where it is created if need be.
    [[nodiscard]] Task<Result<KnownIdentity>> ensure(std::string module_id);
    // Brings the hub's record up to date with our keys, or creates it. Offline: what the cache has.
    [[nodiscard]] Task<Result<KnownIdentity>> update(std::string module_id, std::string managed_by);
    [[nodiscard]] Task<Result<>> remove(std::string module_id);
    // The hub's list; offline, or 30 s after it could not be reached: the cache's.
    [[nodiscard]] Task<Result<std::vector<KnownIdentity>>> list();

    // HMAC-SHA256 with the module's primary key. Errc::not_found for an identity that never was known.
    [[nodiscard]] Task<Result<std::string>> sign(std::string module_id, std::string data);

    // Compares the cache with the hub: soon after the start, then every hour. Runs until it is cancelled.
    [[nodiscard]] Task<> keep_fresh();

private:
    [[nodiscard]] Task<Result<KnownIdentity>> register_module(std::string module_id, std::string managed_by);
    [[nodiscard]] Task<Result<>> reconcile(std::vector<iothub::ModuleIdentity> listed);
    [[nodiscard]] Result<> keep(const KnownIdentity& identity);
    [[nodiscard]] Result<> forget(const std::string& module_id);
    [[nodiscard]] std::vector<KnownIdentity> all_cached() const;

    Platform platform_;
    storage::Database& database_;
    const Keys& keys_;
    std::unique_ptr<iothub::RegistryClient> registry_;
    engine::KeyedLock locks_;
    std::map<std::string, KnownIdentity, std::less<>> cache_;
    std::optional<SteadyTime> unreachable_since_;
};

// The schema of daemon.db.
[[nodiscard]] std::span<const std::string_view> daemon_migrations();

}  // namespace skerry::daemon
