// Any createOptions, and any bundle, give something to start, or an error; never a crash.
#include "engine/create_options.hpp"

#include "model/twin.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static const auto files = storage::make_system_files();
    const auto bundle = engine::parse_bundle(text, "/bundle");
    if (const auto json = model::parse_object(text))
        if (const auto options = engine::parse_create_options(*json))
            static_cast<void>(engine::make_launch(bundle.value_or(engine::Bundle{}), {}, *options, *files));
    static_cast<void>(engine::parse_image_name(text));
    return 0;
}
