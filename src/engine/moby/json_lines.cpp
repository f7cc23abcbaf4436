#include "engine/moby/json_lines.hpp"

#include "model/twin.hpp"

#include <utility>

namespace skerry::engine::moby {

Result<boost::json::object> JsonLines::take() {
    const auto line = std::exchange(line_, {});
    if (line.find_first_not_of(" \t\r\n") == line.npos) return boost::json::object{};
    return model::parse_object(line);
}

}  // namespace skerry::engine::moby
