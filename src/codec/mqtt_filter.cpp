#include "codec/mqtt.hpp"

namespace skerry::codec::mqtt {

namespace {
// Takes the first level off `rest`; false after the last one.
bool take_level(std::string_view& rest, std::string_view& level) {
    const auto slash = rest.find('/');
    level = rest.substr(0, slash);
    if (slash == std::string_view::npos) return false;
    rest.remove_prefix(slash + 1);
    return true;
}
}  // namespace

bool is_valid_filter(std::string_view filter) {
    if (filter.empty()) return false;
    std::string_view level;
    for (bool more = true; more;) {
        more = take_level(filter, level);
        if (level.find_first_of("+#") == std::string_view::npos) continue;
        if (level != "+" && (level != "#" || more)) return false;
    }
    return true;
}

bool matches(std::string_view filter, std::string_view topic) {
    if (topic.starts_with('$') && (filter.starts_with('+') || filter.starts_with('#'))) return false;
    std::string_view wanted;
    std::string_view level;
    for (;;) {
        const bool more_filter = take_level(filter, wanted);
        if (wanted == "#") return true;
        const bool more_topic = take_level(topic, level);
        if (wanted != "+" && wanted != level) return false;
        if (!more_topic) return !more_filter || filter == "#";  // "a/#" matches "a" too
        if (!more_filter) return false;
    }
}

}  // namespace skerry::codec::mqtt
