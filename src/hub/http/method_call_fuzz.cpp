// Bodies of method calls: any bytes; what is taken must be JSON that leads to the same call again.
#include "hub/http/method_call.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>

using namespace skerry::hub::http;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto answer = method_answer_text(200, text);
    boost::json::error_code error;
    boost::json::parse_options deep;
    deep.max_depth = 65;
    (void)boost::json::parse(answer, error, {}, deep);
    if (error) std::abort();

    const auto call = parse_method_call(text);
    if (!call) return 0;
    const auto again = parse_method_call(fmt::format(
        R"({{"methodName":{},"payload":{}}})", boost::json::serialize(boost::json::string(call->name)), call->payload));
    if (!again || again->name != call->name || again->payload != call->payload) std::abort();
    return 0;
}
