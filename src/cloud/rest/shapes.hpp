// Devices, modules and twins as JSON, and what clients send of them (iot-hub-wire.md 2.3).
#pragma once

#include "cloud/connections.hpp"
#include "cloud/fault.hpp"
#include "cloud/registry/twins.hpp"

#include <boost/json/object.hpp>

namespace skerry::cloud {

[[nodiscard]] boost::json::object device_json(const Registration& device, const Presence& presence);
[[nodiscard]] boost::json::object module_json(const Registration& module, const Presence& presence);
// `owner` is the twin's device or module; `device` is its device, which may be the same.
[[nodiscard]] boost::json::object twin_json(const Twin& twin, const Registration& owner, const Registration& device,
                                            const Presence& presence);

// A device or module from a PUT's body. The ids in it, when there, must be `identity`'s.
[[nodiscard]] Outcome<RegistrationChange> parse_registration(const boost::json::object& body,
                                                             const model::Identity& identity);
[[nodiscard]] Outcome<TwinChange> parse_twin_change(const boost::json::object& body);
[[nodiscard]] Outcome<MethodCall> parse_method_call(const boost::json::object& body);

// A method's answer as the service sees it: the device's payload verbatim, null when there is none.
[[nodiscard]] std::string method_answer_text(const MethodAnswer& answer);

}  // namespace skerry::cloud
