// What the verbs of `skerry cloud` do once their arguments are known. Each prints its outcome on standard output, or an
// error on standard error, and returns the exit status.
#pragma once

#include "base/event.hpp"
#include "cli/cloud_admin.hpp"
#include "platform/platform.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace skerry::cli {

struct CloudVerb {
    std::filesystem::path data;
    bool json{false};
    std::string device;
    std::string module;  // empty: the device
    // device create, device update
    bool edge{false};
    std::string parent;
    std::string authentication;  // shared_private_key | x509_thumbprint | x509_ca; empty: not said
    std::string primary_thumbprint;
    std::string secondary_thumbprint;
    std::string status;  // enabled | disabled
    // deploy, twin update
    std::string document;  // JSON text, or a file's name
    // method invoke
    std::string method;
    std::string payload;
    int timeout_seconds{30};
    // message send; the body is `payload`
    std::string message_id;
    std::string acknowledgement{"none"};
    std::vector<std::string> properties;    // NAME=VALUE
    std::chrono::seconds expires_after{0};  // 0: when the cloud's time to live is over
    // events
    bool follow{false};
    bool from_start{false};
};

using RunVerb = Task<Result<>> (*)(CloudAdmin& cloud, CloudVerb verb, Platform platform);

[[nodiscard]] Task<Result<>> show_info(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> create_device(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> update_device(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> list_devices(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> create_module(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> list_modules(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> show_identity(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> delete_identity(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> show_connection_string(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> show_twin(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> update_twin(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> deploy(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> invoke_method(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> send_message(CloudAdmin& cloud, CloudVerb verb, Platform platform);
[[nodiscard]] Task<Result<>> show_events(CloudAdmin& cloud, CloudVerb verb, Platform platform);

// Runs a verb against the cloud of `verb.data` until it ends, or `stop` (which is success: the user has seen enough).
[[nodiscard]] Task<int> run_verb(RunVerb run, CloudVerb verb, Platform platform, Event& stop);

}  // namespace skerry::cli
