// The table of `skerry list`, as the existing `iotedge list` prints it.
#pragma once

#include "base/clock.hpp"
#include "model/module.hpp"

#include <string>
#include <vector>

namespace skerry::cli {

// NAME STATUS DESCRIPTION Config, sorted by name, columns at least 15 wide.
[[nodiscard]] std::string module_table(std::vector<model::ModuleStatus> modules, WallTime now);

// "Up 3 minutes", "Stopped 2 hours ago", "Failed (137) a minute ago", "Unknown".
[[nodiscard]] std::string description_of(const model::ModuleStatus& module, WallTime now);

}  // namespace skerry::cli
