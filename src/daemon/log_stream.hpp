// A module's log as the body of a chunked answer: the engine pushes, the connection pulls.
//
// Bounds: 4 batches of 64 KB wait between the two.
#pragma once

#include "codec/http.hpp"
#include "engine/engine.hpp"

#include <string>

namespace skerry::daemon {

// What next_chunk of an HttpResponse is to be. The engine's work ends with the answer.
[[nodiscard]] std::function<Task<std::optional<std::string>>()> stream_logs(Executor executor, engine::Engine& engine,
                                                                            std::string module,
                                                                            engine::LogOptions options);

}  // namespace skerry::daemon
