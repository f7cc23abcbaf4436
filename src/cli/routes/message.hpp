// A message as a person writes it, in JSON.
#pragma once

#include "base/result.hpp"
#include "model/message.hpp"

#include <boost/json/fwd.hpp>

namespace skerry::cli {

// {"body": text, "properties": {…}, "systemProperties": {…}}: the body is raw UTF-8, every part may be missing, a
// property is text or null (a key without a value). Errc::malformed names the member.
[[nodiscard]] Result<model::Message> read_message(const boost::json::value& json);

}  // namespace skerry::cli
