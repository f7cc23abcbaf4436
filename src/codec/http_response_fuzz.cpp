// Any bytes, cut anywhere, must give an answer or an error, within the limits.
#include "codec/http.hpp"

#include <cstdlib>

using skerry::codec::HttpLimits;
using skerry::codec::HttpResponseParser;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t step = data[0] + std::size_t{1};
    const bool streaming = (data[1] & 2) != 0;
    const std::string_view wire(reinterpret_cast<const char*>(data) + 2, size - 2);
    const HttpLimits limits{.header_bytes = 512, .body_bytes = streaming ? HttpLimits::unlimited : 256};
    HttpResponseParser parser(limits, (data[1] & 1) != 0);
    for (std::size_t at = 0; at < wire.size(); at += step) {
        if (!parser.feed(wire.substr(at, step))) return 0;
        if (streaming) (void)parser.take_body();
    }
    if (parser.feed_end() && !parser.complete()) std::abort();
    const auto response = parser.take();
    if (response && response->body.size() > limits.body_bytes) std::abort();
    return 0;
}
