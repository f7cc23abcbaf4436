// Whatever an engine answers or streams is read or refused; never a crash.
#include "engine/moby/json_lines.hpp"
#include "engine/moby/pull_progress.hpp"
#include "engine/moby/shapes.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry;
    using namespace skerry::engine::moby;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(parse_container(text));
    static_cast<void>(parse_containers(text));
    static_cast<void>(parse_created(text));
    static_cast<void>(has_network(text, "n"));
    static_cast<void>(network_ids(text));
    static_cast<void>(parse_image(text));
    static_cast<void>(parse_images(text));
    static_cast<void>(parse_images_in_use(text));
    static_cast<void>(parse_info(text));
    static_cast<void>(message_of(text));
    if (const auto version = parse_version(text)) static_cast<void>(api_to_speak(*version));
    JsonLines lines;
    PullProgress progress;
    const auto take = [&](const boost::json::object& line) -> Result<> {
        static_cast<void>(parse_event(line));
        return progress.take(line);
    };
    // In two pieces, cut where the first byte says.
    const auto cut = std::min<std::size_t>(size, size == 0 ? 0 : data[0]);
    if (lines.feed(text.substr(0, cut), take) && lines.feed(text.substr(cut), take))
        static_cast<void>(lines.finish(take));
    static_cast<void>(progress.text());
    return 0;
}
