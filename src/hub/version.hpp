#pragma once

#include <string_view>

namespace skerry::hub {

// As shown in the log, in the twin and to the cloud.
inline constexpr std::string_view version = "0.1.0";

}  // namespace skerry::hub
