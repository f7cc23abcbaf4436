// Reading members that may be absent, null or of another type: then they are empty.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine::moby {

[[nodiscard]] std::string text_at(const boost::json::object& object, std::string_view name);
[[nodiscard]] std::int64_t number_at(const boost::json::object& object, std::string_view name);
[[nodiscard]] bool flag_at(const boost::json::object& object, std::string_view name);
// References into `object`, or to an empty one.
[[nodiscard]] const boost::json::object& object_at(const boost::json::object& object, std::string_view name);
[[nodiscard]] const boost::json::array& array_at(const boost::json::object& object, std::string_view name);
// The texts of a list; what is no text is left out.
[[nodiscard]] std::vector<std::string> texts_at(const boost::json::object& object, std::string_view name);

// The member of that name whatever its case, as the engine itself reads it; nullptr when absent.
[[nodiscard]] boost::json::value* find_member(boost::json::object& object, std::string_view name);
// The same, as an object: made under `name` when it is absent or null.
[[nodiscard]] boost::json::object* open_member(boost::json::object& object, std::string_view name);

}  // namespace skerry::engine::moby
