// The existing agent's settings that mean nothing here, and why (agent-and-daemon.md 3.13).
#include "agent/settings.hpp"

namespace skerry::agent {

namespace {

constexpr std::string_view rocksdb = "it tunes a database that is not used here";
constexpr std::string_view call_limits = "calls to the daemon have limits of their own";

constexpr daemonapi::IgnoredSetting all[] = {
    {"Mode", "iotedged", true, "modules are always the daemon's"},
    // towards the cloud
    {"UpstreamProtocol", "Mqtt", true, "the agent speaks MQTT to the cloud, on port 8883"},
    {"https_proxy", "", true, "the agent connects to the cloud directly"},
    {"UseServerHeartbeat", "*", false, "MQTT's keep-alive tells whether the cloud is there"},
    {"UseOfflineCheck", "*", false, "a connection tells by itself whether the cloud is there"},
    {"EnableStreams", "false", true, "there are no device streams"},
    {"DisableDeviceAnalyticsMetadata", "*", false, "no such metadata is sent; see SendRuntimeQualityTelemetry"},
    // the deployment
    {"ConfigSource", "twin", true, "the deployment comes from the twin, and from the disk when the cloud is away"},
    {"LocalConfigPath", "", true, "the deployment comes from the twin, and from the disk when the cloud is away"},
    {"BackupConfigFilePath", "*", false, "the last good deployment lies in StorageFolder"},
    {"EnableOrphanedIdentityCleanup", "false", true, "only the identity of a module that the agent removed is deleted"},
    // the disk
    {"UsePersistentStorage", "true", true, "the last good deployment and the history of restarts are always kept"},
    {"EnableNonPersistentStorageBackup", "*", false, "all that is to be kept is on the disk always"},
    {"BackupFolder", "*", false, "all that is to be kept is on the disk always"},
    {"RocksDB_MaxTotalWalSize", "*", false, rocksdb},
    {"RocksDB_MaxOpenFiles", "*", false, rocksdb},
    {"RocksDB_MaxManifestFileSize", "*", false, rocksdb},
    {"Storage_LogLevel", "*", false, rocksdb},
    // the process
    {"RequestTimeoutSecs", "600", true,
     "a direct method that takes long is a task of its own: GetTaskStatus tells of it"},
    {"ManagementApiTimeoutSecs", "*", false, call_limits},
    {"ModuleRequestThrottleTimeout", "*", false, call_limits},
    {"EnableSdkDebugLogs", "false", false, "RuntimeLogLevel=debug tells more"},
    {"EDGEAGENTUSER_ID", "*", false, "the process runs as whom the daemon starts it"},
};

}  // namespace

std::span<const daemonapi::IgnoredSetting> ignored_settings() { return all; }

}  // namespace skerry::agent
