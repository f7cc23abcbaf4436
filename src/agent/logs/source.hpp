// Where the logs of modules come from: the daemon in the product, a fake in tests.
//
// Promise: a reader that is slower than the daemon holds it back, so that a log of any size passes through little
// memory. Threads: the loop's.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "daemonapi/management_client.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::agent {

class LogSource {
public:
    virtual ~LogSource() = default;

    // Names of the modules that are there.
    [[nodiscard]] virtual Task<Result<std::vector<std::string>>> modules() = 0;
    // Awaited before more is read; false ends the reading. It outlives the call.
    using Taker = std::function<Task<bool>(std::string bytes)>;
    // The engine's frames, see daemonapi::LogFrames.
    [[nodiscard]] virtual Task<Result<>> read(std::string module, daemonapi::LogOptions options, Taker take) = 0;
    // The daemon's support bundle, a zip archive.
    [[nodiscard]] virtual Task<Result<>> read_bundle(daemonapi::SupportBundleOptions options, Taker take) = 0;
};

// Over the management API; each call has a connection of its own. `uri` is the value of IOTEDGE_MANAGEMENTURI.
[[nodiscard]] std::unique_ptr<LogSource> make_daemon_logs(net::Network& network, Clock& clock, std::string uri);

}  // namespace skerry::agent
