// The hub's own access keys: the five policies that every IoT Hub begins with (iot-hub-wire.md 2.1).
#pragma once

#include "base/random.hpp"
#include "cloud/fault.hpp"
#include "iothub/registry_client.hpp"
#include "storage/database.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace skerry::cloud {

using Rights = unsigned;
inline constexpr Rights registry_read = 1;
inline constexpr Rights registry_write = 2;
inline constexpr Rights service_connect = 4;
inline constexpr Rights device_connect = 8;

struct Policy {
    std::string name;
    Rights rights{0};
    iothub::SymmetricKeys keys;  // base64
};

// Those of the database; made with fresh keys where they are missing.
[[nodiscard]] Outcome<std::vector<Policy>> load_policies(storage::Database& database, Random& random);

[[nodiscard]] const Policy* find_policy(const std::vector<Policy>& policies, std::string_view name);

// "HostName=…;SharedAccessKeyName=…;SharedAccessKey=…"
[[nodiscard]] std::string connection_string(std::string_view host, const Policy& policy);

}  // namespace skerry::cloud
