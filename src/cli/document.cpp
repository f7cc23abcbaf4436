#include "cli/document.hpp"

#include "model/twin.hpp"

#include <boost/json/object.hpp>

#include <fmt/core.h>

namespace skerry::cli {

Result<boost::json::object> read_document(const std::string& document, storage::Files& files) {
    const auto first = document.find_first_not_of(" \t\r\n");
    if (first != std::string::npos && document[first] == '{') return model::parse_object(document);
    const auto text = storage::read_file(files, document, 1024 * 1024);
    if (!text) return fail(text.error());
    auto parsed = model::parse_object(*text);
    if (!parsed) return fail(parsed.error().while_doing(fmt::format("'{}'", document)));
    return parsed;
}

}  // namespace skerry::cli
