// IoT Hub's refusals as values: the numbers and names that clients see (iot-hub-wire.md 2.5). Everything that a client
// may do wrong ends in one of these; whoever speaks a protocol turns them into its own words.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace skerry::cloud {

// The HTTP status is the first three digits.
enum class HubCode : std::uint32_t {
    argument_invalid = 400004,
    format_error = 400006,
    bulk_registry_operation_failure = 400013,
    invalid_device_scope = 400028,
    invalid_configuration_content = 400402,
    unauthorized_access = 401002,
    unauthorized = 401003,
    system_module_modify = 401100,
    device_maximum_queue_depth = 403004,
    device_disabled = 403012,
    device_not_found = 404001,
    not_found = 404000,
    module_not_found = 404010,
    device_not_online = 404103,
    method_not_allowed = 405000,
    device_already_exists = 409001,
    module_already_exists = 409301,
    precondition_failed = 412001,
    message_too_large = 413001,
    too_many_devices = 413002,
    too_many_modules = 413003,
    throttling = 429001,
    server_error = 500001,
    service_unavailable = 503001,
    gateway_timeout = 504101,
};

[[nodiscard]] std::string_view name_of(HubCode code);
[[nodiscard]] constexpr unsigned status_of(HubCode code) { return static_cast<unsigned>(code) / 1000; }

struct Fault {
    HubCode code{HubCode::server_error};
    std::string text;
};

template <class T = void>
using Outcome = std::expected<T, Fault>;

[[nodiscard]] inline std::unexpected<Fault> refuse(HubCode code, std::string text) {
    return std::unexpected(Fault{code, std::move(text)});
}
[[nodiscard]] inline std::unexpected<Fault> refuse(Fault fault) { return std::unexpected(std::move(fault)); }

// What our own machinery could not do: a full disk, a broken database.
[[nodiscard]] std::unexpected<Fault> refuse(const Error& error);

}  // namespace skerry::cloud
