#include "hub/queue/records.hpp"

#include <cstdlib>

using namespace skerry::hub;

// Whatever the payload is: it is refused, or what was understood is written and understood again.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
    const std::string_view payload(reinterpret_cast<const char*>(data), size);
    if (const auto head = decode_head(payload)) {
        if (const auto message = decode_message(*head)) {
            std::string again;
            encode_message(again, head->enqueued, head->targets, *message);
            const auto second = decode_head(again);
            const auto same = second ? decode_message(*second) : nullptr;
            if (!same || same->body != message->body || same->properties != message->properties ||
                same->system != message->system)
                std::abort();
        }
    }
    if (const auto cursor = decode_cursor(payload))
        if (decode_cursor(encode_cursor(*cursor))->holes != cursor->holes) std::abort();
    if (const auto snapshot = decode_snapshot(payload))
        if (decode_snapshot(encode_snapshot(*snapshot))->endpoints.size() != snapshot->endpoints.size()) std::abort();
    (void)decode_endpoint(payload);
    (void)decode_drop(payload);
    return 0;
}
