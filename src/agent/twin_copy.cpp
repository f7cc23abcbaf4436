#include "agent/twin_copy.hpp"

#include "model/twin.hpp"

#include <boost/json/value.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::agent {

namespace json = boost::json;

namespace {

std::int64_t version_of(const json::object& part) {
    const auto* version = part.if_contains("$version");
    return version != nullptr && version->is_int64() ? version->as_int64() : 0;
}

json::object without_own_members(json::object part) {
    std::vector<std::string> own;
    for (const auto& member : part)
        if (member.key().starts_with('$')) own.emplace_back(member.key());
    for (const auto& name : own) part.erase(name);
    return part;
}

json::object take_object(json::object& from, std::string_view name) {
    auto* value = from.if_contains(name);
    return value != nullptr && value->is_object() ? std::move(value->as_object()) : json::object();
}

}  // namespace

bool TwinCopy::replace(json::object twin) {
    auto desired = take_object(twin, "desired");
    const auto version = version_of(desired);
    if (version < newest_seen_) return false;
    version_ = version;
    desired_ = without_own_members(std::move(desired));
    reported_ = without_own_members(take_object(twin, "reported"));
    complete_ = true;
    return true;
}

TwinCopy::Patched TwinCopy::patch_desired(const json::object& patch) {
    const auto version = version_of(patch);
    newest_seen_ = std::max(newest_seen_, version);
    if (!complete_ || version == 0 || version > version_ + 1) return Patched::gap;
    if (version <= version_) return Patched::ignored;
    model::merge_patch(desired_, without_own_members(patch));
    version_ = version;
    return Patched::applied;
}

void TwinCopy::patch_reported(const json::object& patch) { model::merge_patch(reported_, patch); }

}  // namespace skerry::agent
