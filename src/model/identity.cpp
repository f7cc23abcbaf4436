#include "model/identity.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::model {

namespace {
constexpr std::size_t longest_id = 128;
constexpr std::string_view id_punctuation = "-:.+%_#*?!(),=@$'";

bool is_id_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           id_punctuation.find(c) != std::string_view::npos;
}

// An id for an error text: cut, and with nothing in it that could break a log line.
std::string printable(std::string_view id) {
    std::string out(id.substr(0, longest_id));
    std::ranges::replace_if(out, [](char c) { return c < ' ' || c > '~'; }, '?');
    if (id.size() > longest_id) out += "…";
    return out;
}

Error bad_id(std::string_view kind, std::string_view id) {
    return {Errc::malformed, fmt::format("'{}' is no valid {} id: 1 to {} characters of A-Z a-z 0-9 and {}",
                                         printable(id), kind, longest_id, id_punctuation)};
}
}  // namespace

bool is_valid_id(std::string_view id) {
    return !id.empty() && id.size() <= longest_id && std::ranges::all_of(id, is_id_character);
}

Result<Identity> Identity::device(std::string device_id) {
    if (!is_valid_id(device_id)) return fail(bad_id("device", device_id));
    return Identity(std::move(device_id), {});
}

Result<Identity> Identity::module(std::string device_id, std::string module_id) {
    if (!is_valid_id(device_id)) return fail(bad_id("device", device_id));
    if (!is_valid_id(module_id)) return fail(bad_id("module", module_id));
    return Identity(std::move(device_id), std::move(module_id));
}

Result<Identity> Identity::parse(std::string_view id) {
    const auto slash = id.find('/');
    if (slash == std::string_view::npos) return device(std::string(id));
    return module(std::string(id.substr(0, slash)), std::string(id.substr(slash + 1)));
}

}  // namespace skerry::model

std::size_t std::hash<skerry::model::Identity>::operator()(const skerry::model::Identity& identity) const noexcept {
    const std::hash<std::string_view> hash;
    // Not symmetric, so that d/m and m/d differ.
    return hash(identity.device_id()) * 31 + hash(identity.module_id());
}
