// The logs of modules, as an answer (GetModuleLogs) or as blobs (UploadModuleLogs).
//
// Promises: a module that can't be read does not hide the others of an upload. Logs can be had while a deployment is
//           under way: they have connections of their own.
// Bounds:   an answer of 127,000 bytes of logs, base64 counted; an upload holds 16 MiB at most, usually 1 MiB.
#pragma once

#include "agent/deployment.hpp"
#include "agent/logs/blob.hpp"
#include "agent/logs/request.hpp"
#include "agent/logs/source.hpp"

#include <boost/json/array.hpp>

namespace skerry::agent {

// [{"id", "payloadBytes", "payload"}], a module each.
[[nodiscard]] Task<Answer<boost::json::array>> get_logs(LogSource& source, const DeviceFacts& facts,
                                                        LogRequest request);

[[nodiscard]] Task<Result<>> upload_logs(LogSource& source, const DeviceFacts& facts, Blob::Parts storage,
                                         BlobPlace place, LogRequest request);

// "<hub>/<device>/<name>-yyyy-MM-dd--HH-mm-ss".
[[nodiscard]] std::string blob_name(const DeviceFacts& facts, std::string_view name, WallTime now);

}  // namespace skerry::agent
