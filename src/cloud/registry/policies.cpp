#include "cloud/registry/policies.hpp"

#include "base/encoding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace skerry::cloud {

namespace {
struct DefaultPolicy {
    const char* name;
    Rights rights;
};
constexpr std::array default_policies{
    DefaultPolicy{"iothubowner", registry_read | registry_write | service_connect | device_connect},
    DefaultPolicy{"service", service_connect},
    DefaultPolicy{"device", device_connect},
    DefaultPolicy{"registryRead", registry_read},
    DefaultPolicy{"registryReadWrite", registry_read | registry_write},
};
}  // namespace

Outcome<std::vector<Policy>> load_policies(storage::Database& database, Random& random) {
    std::vector<Policy> policies;
    for (const auto& [name, rights] : default_policies) {
        const auto made = database.execute("INSERT OR IGNORE INTO policies VALUES(?1, ?2, ?3)",
                                           {name, base64_encode(random.bytes(32)), base64_encode(random.bytes(32))});
        if (!made) return refuse(made.error());
        const auto rows = database.query("SELECT primary_key, secondary_key FROM policies WHERE name = ?1", {name});
        if (!rows) return refuse(rows.error());
        policies.push_back({name, rights, {rows->front().text(0), rows->front().text(1)}});
    }
    return policies;
}

const Policy* find_policy(const std::vector<Policy>& policies, std::string_view name) {
    const auto found = std::ranges::find(policies, name, &Policy::name);
    return found == policies.end() ? nullptr : &*found;
}

std::string connection_string(std::string_view host, const Policy& policy) {
    return fmt::format("HostName={};SharedAccessKeyName={};SharedAccessKey={}", host, policy.name, policy.keys.primary);
}

}  // namespace skerry::cloud
