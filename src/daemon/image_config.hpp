// What config.toml says of images and of containers' logs: [image_garbage_collection], [skerry.images], [skerry.logs].
#pragma once

#include "base/clock.hpp"
#include "daemon/section.hpp"
#include "engine/moby/container_body.hpp"
#include "engine/registry/policy.hpp"
#include "storage/files.hpp"

#include <chrono>
#include <optional>

namespace skerry::daemon {

struct ImageGarbageConfig {
    bool enabled{true};
    Duration recurrence{std::chrono::hours(24)};       // less than a day: so long after the run before
    Duration threshold{std::chrono::hours(7 * 24)};    // unused for so long
    std::chrono::minutes time_of_day{0};               // local
    Duration rollback_reserve{std::chrono::hours(2)};  // seen unused by this daemon for so long
    bool operator==(const ImageGarbageConfig&) const = default;
};
[[nodiscard]] ImageGarbageConfig read_image_garbage(const Section& document);

// [[skerry.image_policy]]; the keys are still paths, which load_config() reads.
[[nodiscard]] engine::registry::TrustPolicy read_image_policy(const Section& document);
// Replaces the paths by the keys themselves.
[[nodiscard]] Result<> load_keys(engine::registry::TrustPolicy& policy, storage::Files& files);

// nullopt: the engine's own way.
[[nodiscard]] std::optional<engine::moby::LogLimits> read_log_limits(const Section& document);

}  // namespace skerry::daemon
