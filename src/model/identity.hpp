// Who somebody is: a device, or a module of a device. Ids that exist are valid.
#pragma once

#include "base/result.hpp"

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::model {

// IoT Hub's rule for device and module ids: 1 to 128 of A-Z a-z 0-9 - : . + % _ # * ? ! ( ) , = @ $ '. Case counts.
[[nodiscard]] bool is_valid_id(std::string_view id);

class Identity {
public:
    // Errc::malformed with the offending id in the text.
    [[nodiscard]] static Result<Identity> device(std::string device_id);
    [[nodiscard]] static Result<Identity> module(std::string device_id, std::string module_id);
    // "d" or "d/m".
    [[nodiscard]] static Result<Identity> parse(std::string_view id);

    [[nodiscard]] const std::string& device_id() const { return device_; }
    [[nodiscard]] const std::string& module_id() const { return module_; }  // empty for a device
    [[nodiscard]] bool is_module() const { return !module_.empty(); }
    [[nodiscard]] std::string id() const { return is_module() ? device_ + '/' + module_ : device_; }

    auto operator<=>(const Identity&) const = default;

private:
    Identity(std::string device, std::string module) : device_(std::move(device)), module_(std::move(module)) {}
    std::string device_;
    std::string module_;
};

}  // namespace skerry::model

template <>
struct std::hash<skerry::model::Identity> {
    std::size_t operator()(const skerry::model::Identity& identity) const noexcept;
};
