// Where `skerry up` runs: on loopback addresses of this machine when it may bind port 443 there, else in a user,
// network and mount namespace of its own, where anyone may.
//
// Threads: call before the process has a second thread (the kernel refuses user namespaces to threaded processes).
#pragma once

#include "base/result.hpp"

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace skerry::cli {

enum class World { direct, own_namespaces };

inline constexpr const char* cloud_address = "127.0.0.11";
inline constexpr const char* hub_address = "127.0.0.12";
inline constexpr const char* cloud_name = "cloud.skerry.local";
inline constexpr const char* hub_name = "edge.skerry.local";

// Direct when every address and port that up needs is free and allowed, and `always_own` is not set.
// Errors: unauthorized when namespaces are forbidden too; the text says what to set.
[[nodiscard]] Result<World> enter_world(bool always_own);

// In own namespaces: /etc/hosts with our names, and the CA bundle of the system with `ca_file` added, both bound over
// the system's for every process in the world. The copies are kept in `folder`.
[[nodiscard]] Result<> bind_names_and_trust(const std::filesystem::path& folder, const std::filesystem::path& ca_file);

// Replaces this process by `command` (the user's shell when empty) inside the namespaces of `process`.
// Returns only on error.
[[nodiscard]] Error enter_and_execute(pid_t process, std::vector<std::string> command);

}  // namespace skerry::cli
