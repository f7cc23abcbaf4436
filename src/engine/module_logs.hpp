// A module's output as the management API sends it: frames as a container engine makes them.
#pragma once

#include "engine/engine.hpp"
#include "engine/log_file.hpp"
#include "engine/module_state.hpp"
#include "platform/platform.hpp"

#include <functional>
#include <memory>
#include <string>

namespace skerry::engine {

// 1 byte stream, 3 zero bytes, 4 bytes length (big-endian), the text with its timestamp in front if wanted.
void append_frame(std::string& out, const LogRecord& record, bool timestamp);

// Hands over whole frames, several at once (64 KB at most). Following ends when the module has ended.
[[nodiscard]] Task<Result<>> send_logs(Platform platform, std::shared_ptr<Module> module, LogOptions options,
                                       std::function<Task<bool>(std::string)> on_frame);

}  // namespace skerry::engine
