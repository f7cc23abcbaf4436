// Files of /proc and /sys.
#pragma once

#include "storage/files.hpp"

#include <filesystem>
#include <string>

namespace skerry::daemon {

// They tell no size: read in one piece of at most 64 KB, without line ends at the end; empty when it can't be read.
[[nodiscard]] std::string proc_text(storage::Files& files, const std::filesystem::path& path);

}  // namespace skerry::daemon
