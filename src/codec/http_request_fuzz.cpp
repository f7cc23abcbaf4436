// Any bytes, cut anywhere, must give requests or an error, within the limits.
#include "codec/http.hpp"

#include <cstdlib>

using skerry::codec::HttpLimits;
using skerry::codec::HttpRequestParser;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    if (size == 0) return 0;
    const std::size_t step = data[0] + std::size_t{1};
    const std::string_view wire(reinterpret_cast<const char*>(data) + 1, size - 1);
    const HttpLimits limits{.header_bytes = 512, .body_bytes = 256};
    HttpRequestParser parser(limits);
    for (std::size_t at = 0; at < wire.size(); at += step) {
        const auto fed = parser.feed(wire.substr(at, step));
        (void)parser.take_expects_continue();
        if (!fed && parser.failure_status() == 0) std::abort();
        if (!fed) break;
        while (const auto request = parser.take()) {
            if (request->body.size() > limits.body_bytes) std::abort();
            (void)request->segments();
            (void)request->query("api-version");
            std::string out;
            serialize(*request, out);
        }
    }
    return 0;
}
