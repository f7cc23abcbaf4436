// A JSON document given at the command line: written there, or a file's name.
#pragma once

#include "base/result.hpp"
#include "storage/files.hpp"

#include <boost/json/fwd.hpp>

#include <string>

namespace skerry::cli {

// What begins with '{' is the document itself. At most 1 MiB; errors name the file.
[[nodiscard]] Result<boost::json::object> read_document(const std::string& document, storage::Files& files);

}  // namespace skerry::cli
