#include "cloud/events/event.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(skerry::cloud::checked_text(text));
    static_cast<void>(skerry::cloud::head_of(text));
    return 0;
}
