// Any line is a log line, and its record is JSON.
#include "agent/logs/line.hpp"

#include "base/encoding.hpp"

#include <boost/json/serialize.hpp>

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const auto line = agent::parse_log_line(1, bytes);
    if (line.level < 0 || line.level > 7 || line.text.size() > size) std::abort();
    if (!is_utf8(boost::json::serialize(agent::to_json(line, "h", "d", "m")))) std::abort();
    return 0;
}
