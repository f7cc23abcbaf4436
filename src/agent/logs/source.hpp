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
    // The engine's frames, see daemonapi::LogFrames. Ends when `on_bytes` returns false; `before_reading`, which may be
    // empty, is awaited before more is read.
    [[nodiscard]] virtual Task<Result<>> read(std::string module, daemonapi::LogOptions options,
                                              std::function<bool(std::string_view)> on_bytes,
                                              std::function<Task<>()> before_reading) = 0;
};

// Over the management API; each call has a connection of its own. `uri` is the value of IOTEDGE_MANAGEMENTURI.
[[nodiscard]] std::unique_ptr<LogSource> make_daemon_logs(net::Network& network, Clock& clock, std::string uri);

}  // namespace skerry::agent
