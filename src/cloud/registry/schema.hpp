// The tables of the cloud's database, as numbered migrations.
#pragma once

#include <array>
#include <string_view>

namespace skerry::cloud {

inline constexpr std::array<std::string_view, 2> migrations{
    R"(
CREATE TABLE policies(
    name TEXT PRIMARY KEY,
    primary_key TEXT NOT NULL,
    secondary_key TEXT NOT NULL
) WITHOUT ROWID;

-- Devices (module_id is empty) and modules.
CREATE TABLE identities(
    device_id TEXT NOT NULL,
    module_id TEXT NOT NULL,
    generation_id TEXT NOT NULL,
    etag TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    status_reason TEXT NOT NULL,
    status_updated TEXT NOT NULL,
    authentication_type TEXT NOT NULL,
    primary_key TEXT NOT NULL,
    secondary_key TEXT NOT NULL,
    primary_thumbprint TEXT NOT NULL,
    secondary_thumbprint TEXT NOT NULL,
    iot_edge INTEGER NOT NULL,
    device_scope TEXT NOT NULL,
    parent_scope TEXT NOT NULL,
    managed_by TEXT NOT NULL,
    PRIMARY KEY(device_id, module_id)
) WITHOUT ROWID;
CREATE INDEX identities_by_parent ON identities(parent_scope, device_id) WHERE parent_scope <> '';
CREATE UNIQUE INDEX edge_devices_by_scope ON identities(device_scope) WHERE iot_edge = 1;

CREATE TABLE twins(
    device_id TEXT NOT NULL,
    module_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    etag INTEGER NOT NULL,
    tags TEXT NOT NULL,
    desired TEXT NOT NULL,
    desired_metadata TEXT NOT NULL,
    desired_version INTEGER NOT NULL,
    reported TEXT NOT NULL,
    reported_metadata TEXT NOT NULL,
    reported_version INTEGER NOT NULL,
    PRIMARY KEY(device_id, module_id)
) WITHOUT ROWID;
)",
    R"(
-- Messages to devices. Times are milliseconds since 1970; who holds lock_token may settle it until locked_until.
CREATE TABLE commands(
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    device_id TEXT NOT NULL,
    generation_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    acknowledgement INTEGER NOT NULL,
    enqueued INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    delivery_count INTEGER NOT NULL,
    lock_token TEXT NOT NULL,
    locked_until INTEGER NOT NULL,
    message TEXT NOT NULL
);
CREATE INDEX commands_by_device ON commands(device_id, sequence);
CREATE INDEX commands_by_expiry ON commands(expires);

CREATE TABLE feedback(
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    record TEXT NOT NULL,
    lock_token TEXT NOT NULL,
    locked_until INTEGER NOT NULL
);
)"};

}  // namespace skerry::cloud
