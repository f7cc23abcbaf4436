#include "cloud/registry/registry.hpp"

#include "base/encoding.hpp"
#include "cloud/registry/transaction.hpp"
#include "cloud/registry/twin_document.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace skerry::cloud {

namespace {
constexpr std::string_view columns =
    "device_id, module_id, generation_id, etag, enabled, status_reason, status_updated, authentication_type, "
    "primary_key, secondary_key, primary_thumbprint, secondary_thumbprint, iot_edge, device_scope, parent_scope, "
    "managed_by";

Result<model::Identity> identity_of(const storage::Row& row) {
    if (row.text(1).empty()) return model::Identity::device(row.text(0));
    return model::Identity::module(row.text(0), row.text(1));
}

Result<Registration> registration_of(const storage::Row& row) {
    auto identity = identity_of(row);
    if (!identity) return fail(identity.error().while_doing("reading the registry"));
    Registration found{
        .identity = std::move(*identity),
        .generation_id = row.text(2),
        .etag = row.text(3),
        .enabled = row.integer(4) != 0,
        .status_reason = row.text(5),
        .status_updated = parse_rfc3339(row.text(6)),
        .authentication = {.type = parse_authentication_type(row.text(7)).value_or(AuthenticationType::none),
                           .keys = {row.text(8), row.text(9)},
                           .primary_thumbprint = row.text(10),
                           .secondary_thumbprint = row.text(11)},
        .iot_edge = row.integer(12) != 0,
        .device_scope = row.text(13),
        .parent_scope = row.text(14),
        .managed_by = row.text(15)};
    return found;
}

std::vector<storage::SqlValue> values_of(const Registration& of) {
    return {of.identity.device_id(),
            of.identity.module_id(),
            of.generation_id,
            of.etag,
            std::int64_t{of.enabled},
            of.status_reason,
            of.status_updated ? format_rfc3339(*of.status_updated, 7) : std::string(),
            std::string(name_of(of.authentication.type)),
            of.authentication.keys.primary,
            of.authentication.keys.secondary,
            of.authentication.primary_thumbprint,
            of.authentication.secondary_thumbprint,
            std::int64_t{of.iot_edge},
            of.device_scope,
            of.parent_scope,
            of.managed_by};
}
}  // namespace

Fault not_found(const model::Identity& identity) {
    if (identity.is_module()) return {HubCode::module_not_found, fmt::format("there is no module '{}'", identity.id())};
    return {HubCode::device_not_found, fmt::format("there is no device '{}'", identity.id())};
}

bool is_system_module(const model::Identity& identity) {
    return identity.module_id() == "$edgeAgent" || identity.module_id() == "$edgeHub";
}

Outcome<> check_if_match(const IfMatch& if_match, std::string_view etag) {
    if (!if_match || *if_match == "*" || *if_match == etag) return {};
    return refuse(HubCode::precondition_failed, "the etag in If-Match is not the current one: read it again");
}

Outcome<std::vector<Registration>> Registry::select(std::string_view where,
                                                    const std::vector<storage::SqlValue>& values) {
    const auto rows = database_.query(fmt::format("SELECT {} FROM identities WHERE {}", columns, where), values);
    if (!rows) return refuse(rows.error());
    std::vector<Registration> found;
    found.reserve(rows->size());
    for (const auto& row : *rows) {
        auto one = registration_of(row);
        if (!one) return refuse(one.error());
        found.push_back(std::move(*one));
    }
    return found;
}

Outcome<Registration> Registry::find(const model::Identity& identity) {
    auto found = select("device_id = ?1 AND module_id = ?2", {identity.device_id(), identity.module_id()});
    if (!found) return refuse(found.error());
    if (!found->empty()) return std::move(found->front());
    if (identity.is_module()) {
        const auto device = model::Identity::device(identity.device_id());
        if (const auto above = find(*device); !above) return refuse(above.error());
    }
    return refuse(not_found(identity));
}

Outcome<std::vector<Registration>> Registry::devices(std::string_view after, std::size_t limit) {
    return select("module_id = '' AND device_id > ?1 ORDER BY device_id LIMIT ?2",
                  {std::string(after), static_cast<std::int64_t>(limit)});
}

Outcome<std::vector<Registration>> Registry::modules(const std::string& device_id) {
    return select("device_id = ?1 AND module_id <> '' ORDER BY module_id", {device_id});
}

Outcome<DeviceCounts> Registry::count() {
    const auto rows = database_.query("SELECT count(*), sum(enabled) FROM identities WHERE module_id = ''");
    if (!rows) return refuse(rows.error());
    return DeviceCounts{rows->front().integer(0), rows->front().integer(1)};
}

Outcome<Registration> Registry::put(const model::Identity& identity, const RegistrationChange& change,
                                    const IfMatch& if_match) {
    std::optional<Registration> put;
    const auto done = in_transaction(database_, [&]() -> Outcome<> {
        auto now = find(identity);
        const bool missing = !now && now.error().code == not_found(identity).code;
        if (!now && !missing) return refuse(now.error());
        if (if_match) {
            if (missing) return refuse(now.error());
            if (auto same = check_if_match(if_match, now->etag); !same) return same;
        } else if (!missing) {
            return refuse(identity.is_module() ? HubCode::module_already_exists : HubCode::device_already_exists,
                          fmt::format("'{}' exists already; send If-Match to change it", identity.id()));
        }
        auto changed = missing ? create(identity, change) : update(std::move(*now), change);
        if (!changed) return refuse(changed.error());
        put = std::move(*changed);
        return {};
    });
    if (!done) return refuse(done.error());
    return std::move(*put);
}

Outcome<> Registry::check_room_for(const model::Identity& identity) {
    const auto rows = identity.is_module()
                          ? database_.query("SELECT count(*) FROM identities WHERE device_id = ?1 AND module_id <> ''",
                                            {identity.device_id()})
                          : database_.query("SELECT count(*) FROM identities WHERE module_id = ''");
    if (!rows) return refuse(rows.error());
    const auto there = rows->front().integer(0);
    if (identity.is_module() && there >= most_modules)
        return refuse(HubCode::too_many_modules, fmt::format("a device has {} modules at most", most_modules));
    if (!identity.is_module() && there >= most_devices)
        return refuse(HubCode::too_many_devices, fmt::format("there are {} devices at most", most_devices));
    return {};
}

Outcome<Registration> Registry::create(const model::Identity& identity, const RegistrationChange& change) {
    if (identity.is_module()) {
        if (identity.module_id().starts_with('$') && !is_system_module(identity))
            return refuse(HubCode::argument_invalid, "module ids that begin with '$' are reserved");
        if (const auto device = find(*model::Identity::device(identity.device_id())); !device)
            return refuse(device.error());
    }
    if (auto room = check_room_for(identity); !room) return refuse(room.error());
    Registration made{.identity = identity, .generation_id = new_generation_id(), .etag = new_etag({})};
    if (auto applied = apply(made, change, true); !applied) return refuse(applied.error());
    if (auto inserted = insert(made); !inserted) return refuse(inserted.error());
    if (made.iot_edge)
        if (auto modules = insert_system_modules(identity.device_id()); !modules) return refuse(modules.error());
    return made;
}

Outcome<Registration> Registry::update(Registration now, const RegistrationChange& change) {
    const bool was_edge = now.iot_edge;
    if (auto applied = apply(now, change, false); !applied) return refuse(applied.error());
    now.etag = new_etag(now.etag);
    if (auto saved = save(now); !saved) return refuse(saved.error());
    if (now.iot_edge && !was_edge)
        if (auto modules = insert_system_modules(now.identity.device_id()); !modules) return refuse(modules.error());
    return now;
}

Outcome<> Registry::insert(const Registration& registration) {
    const auto inserted = database_.execute(
        fmt::format("INSERT INTO identities({}) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)",
                    columns),
        values_of(registration));
    if (!inserted) return refuse(inserted.error());
    const auto now = clock_.wall();
    const auto twin = database_.execute("INSERT INTO twins VALUES(?1, ?2, 2, 1, '{}', '{}', ?3, 1, '{}', ?4, 1)",
                                        {registration.identity.device_id(), registration.identity.module_id(),
                                         boost::json::serialize(empty_section(SectionKind::desired, now).metadata),
                                         boost::json::serialize(empty_section(SectionKind::reported, now).metadata)});
    if (!twin) return refuse(twin.error());
    return {};
}

Outcome<> Registry::save(const Registration& registration) {
    const auto saved = database_.execute(
        "UPDATE identities SET generation_id=?3, etag=?4, enabled=?5, status_reason=?6, status_updated=?7, "
        "authentication_type=?8, primary_key=?9, secondary_key=?10, primary_thumbprint=?11, secondary_thumbprint=?12, "
        "iot_edge=?13, device_scope=?14, parent_scope=?15, managed_by=?16 WHERE device_id=?1 AND module_id=?2",
        values_of(registration));
    if (!saved) return refuse(saved.error());
    return {};
}

Outcome<> Registry::insert_system_modules(const std::string& device_id) {
    for (const auto* name : {"$edgeAgent", "$edgeHub"}) {
        const auto identity = model::Identity::module(device_id, name);
        if (const auto there = find(*identity); there) continue;
        Registration made{.identity = *identity, .generation_id = new_generation_id(), .etag = new_etag({})};
        made.managed_by = "IotEdge";
        made.authentication.keys = {new_key(), new_key()};
        if (auto inserted = insert(made); !inserted) return inserted;
    }
    return {};
}

Outcome<> Registry::remove(const model::Identity& identity, const IfMatch& if_match) {
    return in_transaction(database_, [&]() -> Outcome<> {
        const auto now = find(identity);
        if (!now) return refuse(now.error());
        if (auto same = check_if_match(if_match, now->etag); !same) return same;
        if (is_system_module(identity))
            return refuse(HubCode::system_module_modify,
                          fmt::format("'{}' lives as long as its device: delete that", identity.id()));
        const std::vector<storage::SqlValue> all{identity.device_id()};
        const std::vector<storage::SqlValue> one{identity.device_id(), identity.module_id()};
        for (const auto* table : {"identities", "twins"}) {
            const auto removed =
                identity.is_module()
                    ? database_.execute(fmt::format("DELETE FROM {} WHERE device_id=?1 AND module_id=?2", table), one)
                    : database_.execute(fmt::format("DELETE FROM {} WHERE device_id=?1", table), all);
            if (!removed) return refuse(removed.error());
        }
        if (!now->iot_edge) return {};
        const auto orphaned = database_.execute(
            "UPDATE identities SET parent_scope = '', device_scope = CASE iot_edge WHEN 1 THEN device_scope ELSE '' "
            "END "
            "WHERE parent_scope = ?1",
            {now->device_scope});
        if (!orphaned) return refuse(orphaned.error());
        return {};
    });
}

std::string Registry::new_etag(std::string_view old) {
    for (;;) {
        auto etag = base64_encode(std::to_string(100'000'000 + random_.below(900'000'000)));
        if (etag != old) return etag;
    }
}

// .NET ticks, as IoT Hub has them; the last four digits are random, so that even a clock that stands still makes new
// ones.
std::string Registry::new_generation_id() {
    constexpr std::int64_t ticks_at_unix_epoch = 621'355'968'000'000'000;
    const auto milliseconds = unix_milliseconds(clock_.wall());
    const auto random = static_cast<std::int64_t>(random_.below(10'000));
    return std::to_string(ticks_at_unix_epoch + milliseconds * 10'000 + random);
}

std::string Registry::new_key() { return base64_encode(random_.bytes(32)); }

}  // namespace skerry::cloud
