#include "cloud/registry/twins.hpp"

#include "base/encoding.hpp"
#include "cloud/registry/transaction.hpp"
#include "model/twin.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
Outcome<Twin> twin_of(const model::Identity& identity, const storage::Row& row) {
    Twin twin{.identity = identity, .version = row.integer(0), .etag_number = row.integer(1)};
    twin.desired.version = row.integer(5);
    twin.reported.version = row.integer(8);
    const std::pair<std::size_t, json::object*> parts[] = {{2, &twin.tags},
                                                           {3, &twin.desired.values},
                                                           {4, &twin.desired.metadata},
                                                           {6, &twin.reported.values},
                                                           {7, &twin.reported.metadata}};
    for (const auto& [column, object] : parts) {
        auto parsed = model::parse_object(row.text(column));
        if (!parsed) return refuse(parsed.error().while_doing(fmt::format("reading the twin of '{}'", identity.id())));
        *object = std::move(*parsed);
    }
    return twin;
}

// "properties.desired" is the section, "properties.desired.a.b" a subtree of it.
constexpr std::string_view desired_key = "properties.desired";
}  // namespace

std::string Twin::etag() const {
    std::string bytes;
    for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(etag_number >> shift & 0xff));
    return base64_encode(bytes);
}

Outcome<Twin> TwinStore::find(const model::Identity& identity) {
    const auto rows = database_.query(
        "SELECT version, etag, tags, desired, desired_metadata, desired_version, reported, reported_metadata, "
        "reported_version FROM twins WHERE device_id = ?1 AND module_id = ?2",
        {identity.device_id(), identity.module_id()});
    if (!rows) return refuse(rows.error());
    if (!rows->empty()) return twin_of(identity, rows->front());
    if (const auto registered = registry_.find(identity); !registered) return refuse(registered.error());
    return refuse(not_found(identity));
}

Outcome<> TwinStore::save(const Twin& twin) {
    const auto saved = database_.execute(
        "UPDATE twins SET version=?3, etag=?4, tags=?5, desired=?6, desired_metadata=?7, desired_version=?8, "
        "reported=?9, reported_metadata=?10, reported_version=?11 WHERE device_id=?1 AND module_id=?2",
        {twin.identity.device_id(), twin.identity.module_id(), twin.version, twin.etag_number,
         json::serialize(twin.tags), json::serialize(twin.desired.values), json::serialize(twin.desired.metadata),
         twin.desired.version, json::serialize(twin.reported.values), json::serialize(twin.reported.metadata),
         twin.reported.version});
    if (!saved) return refuse(saved.error());
    return {};
}

namespace {
Outcome<> change_tags(Twin& twin, json::object tags, ChangeKind kind) {
    tags = without_system_members(std::move(tags));
    if (auto fits = check_values(tags, "tags"); !fits) return fits;
    if (kind == ChangeKind::replace) twin.tags.clear();
    model::merge_patch(twin.tags, tags);
    return check_size(twin.tags, "tags", largest_tags);
}

Outcome<DesiredUpdate> change_desired(Twin& twin, json::object values, ChangeKind kind, WallTime now) {
    values = without_system_members(std::move(values));
    if (auto fits = check_values(values, "properties.desired"); !fits) return refuse(fits.error());
    DesiredUpdate update{.identity = twin.identity};
    if (kind == ChangeKind::patch) {
        patch_section(twin.desired, SectionKind::desired, values, now);
        update.patch = std::move(values);
    } else {
        replace_section(twin.desired, SectionKind::desired, std::move(values), now);
        update.patch = twin.desired.values;
    }
    if (auto fits = check_size(twin.desired.values, "properties.desired", largest_section); !fits)
        return refuse(fits.error());
    update.version = twin.desired.version;
    update.patch["$version"] = update.version;
    return update;
}
}  // namespace

Outcome<ChangedTwin> TwinStore::change(const model::Identity& identity, const TwinChange& change, ChangeKind kind,
                                       const IfMatch& if_match) {
    std::optional<ChangedTwin> changed;
    const auto done = in_transaction(database_, [&]() -> Outcome<> {
        auto twin = find(identity);
        if (!twin) return refuse(twin.error());
        if (auto same = check_if_match(if_match, twin->etag()); !same) return same;
        std::optional<DesiredUpdate> update;
        if (change.tags)
            if (auto tagged = change_tags(*twin, *change.tags, kind); !tagged) return tagged;
        if (change.desired) {
            auto desired = change_desired(*twin, *change.desired, kind, clock_.wall());
            if (!desired) return refuse(desired.error());
            update = std::move(*desired);
        }
        ++twin->version;
        ++twin->etag_number;
        if (auto saved = save(*twin); !saved) return saved;
        changed = ChangedTwin{std::move(*twin), std::move(update)};
        return {};
    });
    if (!done) return refuse(done.error());
    return std::move(*changed);
}

Outcome<std::int64_t> TwinStore::report(const model::Identity& identity, const json::object& patch) {
    std::int64_t version = 0;
    const auto done = in_transaction(database_, [&]() -> Outcome<> {
        const auto values = without_system_members(patch);
        if (auto fits = check_values(values, "properties.reported"); !fits) return fits;
        auto twin = find(identity);
        if (!twin) return refuse(twin.error());
        patch_section(twin->reported, SectionKind::reported, values, clock_.wall());
        if (auto fits = check_size(twin->reported.values, "properties.reported", largest_section); !fits) return fits;
        ++twin->version;
        version = twin->reported.version;
        return save(*twin);
    });
    if (!done) return refuse(done.error());
    return version;
}

Outcome<DesiredUpdate> TwinStore::apply_module(const model::Identity& identity, const json::object& content) {
    auto twin = find(identity);
    if (!twin) return refuse(twin.error());
    const auto* whole = content.if_contains(desired_key);
    if (whole != nullptr && !whole->is_object())
        return refuse(HubCode::invalid_configuration_content,
                      fmt::format("'{}': properties.desired must be an object", identity.id()));
    auto values = whole != nullptr ? whole->get_object() : twin->desired.values;
    for (const auto& [name, value] : content) {
        const std::string_view key = name;
        if (key == desired_key) continue;
        if (!key.starts_with(desired_key) || key.size() < desired_key.size() + 2 || key[desired_key.size()] != '.')
            return refuse(HubCode::invalid_configuration_content,
                          fmt::format("'{}': '{}' is neither properties.desired nor below it", identity.id(), key));
        set_at_path(values, key.substr(desired_key.size() + 1), value);
    }
    auto update = change_desired(*twin, std::move(values), ChangeKind::replace, clock_.wall());
    if (!update) return refuse(update.error().code, fmt::format("'{}': {}", identity.id(), update.error().text));
    ++twin->version;
    ++twin->etag_number;
    if (auto saved = save(*twin); !saved) return refuse(saved.error());
    return update;
}

Outcome<std::vector<DesiredUpdate>> TwinStore::apply_content(const std::string& device_id,
                                                             const json::object& content) {
    const auto device = model::Identity::device(device_id);
    if (!device) return refuse(device.error());
    std::vector<DesiredUpdate> updates;
    const auto done = in_transaction(database_, [&]() -> Outcome<> {
        if (const auto known = registry_.find(*device); !known) return refuse(known.error());
        const auto* modules = content.if_contains("modulesContent");
        const auto* of_device = content.if_contains("deviceContent");
        const bool fits =
            (modules != nullptr && modules->is_object()) || (of_device != nullptr && of_device->is_object());
        if (!fits)
            return refuse(HubCode::invalid_configuration_content,
                          "the content needs a member modulesContent or deviceContent that is an object");
        if (of_device != nullptr && of_device->is_object()) {
            auto update = apply_module(*device, of_device->get_object());
            if (!update) return refuse(update.error());
            updates.push_back(std::move(*update));
        }
        if (modules == nullptr || !modules->is_object()) return {};
        for (const auto& [name, value] : modules->get_object()) {
            const auto module = model::Identity::module(device_id, std::string(name));
            if (!module) return refuse(HubCode::invalid_configuration_content, module.error().text);
            if (!value.is_object())
                return refuse(HubCode::invalid_configuration_content,
                              fmt::format("modulesContent.{} must be an object", std::string_view(name)));
            if (const auto known = registry_.find(*module); !known) {
                const auto made = registry_.put(*module, {.managed_by = "IotEdge"}, {});
                if (!made) return refuse(made.error());
            }
            auto update = apply_module(*module, value.get_object());
            if (!update) return refuse(update.error());
            updates.push_back(std::move(*update));
        }
        return {};
    });
    if (!done) return refuse(done.error());
    return updates;
}

}  // namespace skerry::cloud
