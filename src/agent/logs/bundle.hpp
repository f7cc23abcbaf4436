// The daemon's support bundle as a blob (UploadSupportBundle).
//
// Promise: there is a blob when all of it is there; a bundle that breaks off leaves none.
// Bound:   1 MiB of it is held, and what comes in one piece.
#pragma once

#include "agent/deployment.hpp"
#include "agent/logs/blob.hpp"
#include "agent/logs/request.hpp"
#include "agent/logs/source.hpp"

namespace skerry::agent {

// The members since, until and edgeRuntimeOnly.
[[nodiscard]] Answer<daemonapi::SupportBundleOptions> parse_bundle_request(const boost::json::object& payload);

// As "<hub>/<device>/support-bundle-yyyy-MM-dd--HH-mm-ss.zip".
[[nodiscard]] Task<Result<>> upload_bundle(LogSource& source, const DeviceFacts& facts, Blob::Parts storage,
                                           BlobPlace place, daemonapi::SupportBundleOptions options);

}  // namespace skerry::agent
