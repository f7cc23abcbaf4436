// The existing hub's settings that mean nothing here, and why.
#include "hub/settings.hpp"

namespace skerry::hub {

namespace {

constexpr std::string_view dotnet = "it tunes threads and buffers of another program";
constexpr std::string_view rocksdb = "it tunes a database that is not used here";
constexpr std::string_view amqp_upstream = "the cloud is spoken to over MQTT";
constexpr std::string_view call_limits = "calls to the cloud have limits of their own";

constexpr daemonapi::IgnoredSetting all[] = {
    // set by the agent
    {"IOTEDGE_APIVERSION", "*", false, "the daemon is asked in the version that every daemon knows"},
    {"IOTEDGE_AUTHSCHEME", "sasToken", false, "the hub signs with the daemon's key, as sasToken says"},
    {"IOTEDGE_MANAGEMENTURI", "*", false, "only the agent manages modules"},
    // who may come in
    {"IotHubConnectionString", "", true, "the hub gets its identity from the daemon, there is no developer mode"},
    {"EdgeHubDev*", "", true, "certificates come from the daemon, there is no developer mode"},
    {"EdgeModuleHub*", "", true, "certificates come from the daemon, there is no developer mode"},
    {"EdgeModuleCACertificateFile", "", true, "certificates come from the daemon, there is no developer mode"},
    {"TrackDeviceState", "true", true, "what waits of a disabled device waits until it expires"},
    {"SslProtocols", "tls1.2,tls1.3", true, "TLS 1.2 and 1.3 are spoken, older ones never"},
    // towards the cloud
    {"https_proxy", "", true, "the hub connects to the cloud directly"},
    {"UseServerHeartbeat", "*", false, amqp_upstream},
    {"IotHubConnectionPoolSize", "*", false, amqp_upstream},
    {"CloudOperationTimeoutSecs", "20", false, call_limits},
    {"CloudConnectionHangingTimeoutSecs", "50", false, call_limits},
    {"CloseCloudConnectionOnDeviceDisconnect", "*", false, "what nobody uses is closed when it was idle long enough"},
    {"ConnectivityCheckFrequencySecs", "*", false, "MQTT's keep-alive tells whether the cloud is there"},
    {"MaxUpstreamBatchSize", "*", false, "messages go one by one, many at a time, in their order"},
    {"UpstreamFanOutFactor", "*", false, "every sender has its own queue and connection to the cloud"},
    {"MinTwinSyncPeriodSecs", "120", false, "a twin is read again whenever its connection comes back"},
    {"TwinManagerVersion", "v2", false, "there is one way to keep twins"},
    {"EncryptTwinStore", "true", true, "twins are always encrypted on the disk"},
    {"configSource", "twin", true, "routes and store settings come from the hub's twin only"},
    {"routes__*", "", true, "routes come from the hub's twin only"},
    // keeping messages
    {"storeAndForwardEnabled", "true", true,
     "messages are always stored before they are acknowledged; SKERRY_DURABILITY=memory spares the disk"},
    {"storeAndForward__timeToLiveSecs", "-1", true, "nobody is served before the twin has said how long messages live"},
    {"MessageAckTimeoutSecs", "30", true,
     "a message that is not acknowledged stays with its consumer until that connects again"},
    {"MessageCleanupIntervalSecs", "*", false, "what is delivered or expired goes within half a minute"},
    {"CheckEntireQueueOnCleanup", "*", false, "messages expire wherever they stand in a queue"},
    {"EnableNonPersistentStorageBackup", "*", false, "what is in memory is written when the hub stops"},
    {"BackupFolder", "*", false, "what is in memory is written below StorageFolder when the hub stops"},
    {"OptimizeForPerformance", "*", false, rocksdb},
    {"RocksDB_MaxTotalWalSize", "*", false, rocksdb},
    {"RocksDB_MaxManifestFileSize", "*", false, rocksdb},
    {"RocksDB_MaxOpenFiles", "*", false, rocksdb},
    {"Storage_LogLevel", "*", false, rocksdb},
    // protocol heads
    {"mqttSettings__enabled", "true", true, "MQTT is the way in; without it there would be none"},
    {"mqttSettings__DefaultPublishToClientQoS", "1", false, "a client gets the quality that it subscribed with"},
    {"mqttSettings__MaxPendingMessages", "*", false, "memory of messages in progress is bounded in bytes"},
    {"mqttSettings__ThreadCount", "*", false, dotnet},
    {"mqttSettings__ListenBacklogSize", "*", false, dotnet},
    {"mqttSettings__EventLoopCount", "*", false, dotnet},
    {"mqttSettings__UsePooledBuffers", "*", false, dotnet},
    {"mqttSettings__RetainPropertyName", "*", false, "the property's name is fixed"},
    {"mqttSettings__DupPropertyName", "*", false, "the property's name is fixed"},
    {"mqttSettings__QoSPropertyName", "*", false, "the property's name is fixed"},
    {"mqttTopicNameConversion__*", "", true, "topics are those of IoT Hub"},
    {"MqttEventsProcessorThreadCount", "*", false, dotnet},
    {"amqpSettings__*", "", false, "there is no AMQP head"},
    // the process
    {"ServerCertificateRenewAfterInMs", "2147483647", false, "the certificate is renewed in time, without a restart"},
    {"MaxCheckCertExpiryInMs", "*", false, "the certificate is renewed in time, without a restart"},
    {"protocolTimeoutInSecs", "*", false, "the hub stops within seconds"},
    {"ShutdownWaitPeriod", "*", false, "the hub stops within seconds"},
    {"EnableRoutingLogging", "false", false, "RuntimeLogLevel=debug tells more"},
    {"EnableSdkDebugLogs", "false", false, "RuntimeLogLevel=debug tells more"},
    {"experimentalFeatures__enabled", "false", false, "there are no experimental features"},
    {"experimentalFeatures__disableCloudSubscriptions", "false", true, "there are no experimental features"},
    {"experimentalFeatures__disableConnectivityCheck", "false", false, "there are no experimental features"},
    {"EDGEHUBUSER_ID", "*", false, "the process runs as whom the daemon starts it"},
};

}  // namespace

std::span<const daemonapi::IgnoredSetting> ignored_settings() { return all; }

}  // namespace skerry::hub
