// The cloud's own authority, made at the first start and kept, and a server certificate for all of its names, issued
// anew at each start: names may have changed, and a restart renews it.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "storage/files.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace skerry::cloud {

struct ServerIdentity {
    std::string certificate_chain_pem;
    std::string private_key_pem;
};

inline constexpr const char* ca_certificate_file = "ca.pem";
inline constexpr const char* ca_key_file = "ca.key.pem";  // readable by the owner only

// Names that are IP addresses become IP SANs. A CA whose files don't fit together is refused, never replaced: devices
// trust it.
[[nodiscard]] Result<ServerIdentity> prepare_certificates(storage::Files& files, const std::filesystem::path& folder,
                                                          const std::vector<std::string>& names, WallTime now);

}  // namespace skerry::cloud
