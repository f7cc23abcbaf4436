// The registry: which devices and modules exist, how they prove who they are, and which edge device is above which.
//
// Promises: what a call returned is on disk; a call that fails changed nothing. Every write changes the etag.
//           An edge device always has its scope, $edgeAgent and $edgeHub; every identity has a twin.
// Bounds:   100,000 devices, 100 modules per device; answers that list are cut by their `limit`.
// Threads:  one at a time (the cloud's worker). Calls block.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "cloud/fault.hpp"
#include "cloud/registry/registration.hpp"
#include "storage/database.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cloud {

inline constexpr std::int64_t most_devices = 100'000;
inline constexpr std::int64_t most_modules = 100;

// What If-Match asked for, without quotes: an etag, or "*" for any. nullopt: no such header.
using IfMatch = std::optional<std::string>;
[[nodiscard]] Outcome<> check_if_match(const IfMatch& if_match, std::string_view etag);

// One page of what an edge device may act for: itself, its modules, its children and their modules.
struct ScopePage {
    std::vector<Registration> devices;
    std::vector<Registration> modules;
    std::string next;  // device id to continue after; empty on the last page
};

struct DeviceCounts {
    std::int64_t total{0};
    std::int64_t enabled{0};
};

class Registry {
public:
    // All outlive the registry; `database` has the tables of schema.hpp.
    Registry(storage::Database& database, Random& random, const Clock& clock)
        : database_(database), random_(random), clock_(clock) {}

    [[nodiscard]] Outcome<Registration> find(const model::Identity& identity);
    // In the order of their ids, those after `after`.
    [[nodiscard]] Outcome<std::vector<Registration>> devices(std::string_view after, std::size_t limit);
    [[nodiscard]] Outcome<std::vector<Registration>> modules(const std::string& device_id);
    [[nodiscard]] Outcome<DeviceCounts> count();

    // Without If-Match creates, with it updates (2.4).
    [[nodiscard]] Outcome<Registration> put(const model::Identity& identity, const RegistrationChange& change,
                                            const IfMatch& if_match);
    // A device goes with its modules and twins; its children lose their parent.
    [[nodiscard]] Outcome<> remove(const model::Identity& identity, const IfMatch& if_match);

    // Whether `chain` (target first, then who is above, actor last) holds, link by link. The actor's device is
    // returned.
    [[nodiscard]] Outcome<Registration> check_chain(const std::vector<std::string>& chain);

    // Devices after `after`, with all their modules.
    [[nodiscard]] Outcome<ScopePage> scope_of(const std::string& edge_device, std::string_view after,
                                              std::size_t limit);

private:
    [[nodiscard]] Outcome<Registration> create(const model::Identity& identity, const RegistrationChange& change);
    [[nodiscard]] Outcome<Registration> update(Registration now, const RegistrationChange& change);
    [[nodiscard]] Outcome<> check_room_for(const model::Identity& identity);
    [[nodiscard]] Outcome<> insert(const Registration& registration);
    [[nodiscard]] Outcome<> save(const Registration& registration);
    [[nodiscard]] Outcome<> insert_system_modules(const std::string& device_id);
    [[nodiscard]] Outcome<> apply(Registration& registration, const RegistrationChange& change, bool is_new);
    [[nodiscard]] Outcome<> apply_authentication(Authentication& authentication, const RegistrationChange& change);
    [[nodiscard]] Outcome<> apply_scope(Registration& registration, const RegistrationChange& change, bool is_new);
    [[nodiscard]] Outcome<> check_parent(const Registration& child, const std::string& scope);
    [[nodiscard]] Outcome<std::optional<Registration>> edge_with_scope(const std::string& scope);
    [[nodiscard]] Outcome<std::vector<Registration>> select(std::string_view where,
                                                            const std::vector<storage::SqlValue>& values);
    [[nodiscard]] std::string new_etag(std::string_view old);
    [[nodiscard]] std::string new_generation_id();
    [[nodiscard]] std::string new_key();

    storage::Database& database_;
    Random& random_;
    const Clock& clock_;
};

[[nodiscard]] Fault not_found(const model::Identity& identity);
[[nodiscard]] bool is_system_module(const model::Identity& identity);

}  // namespace skerry::cloud
