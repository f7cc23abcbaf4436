// Topics and property bags from clients and from hubs: what is read can be written, and reads the same again.
#include "iothub/topics.hpp"

#include <cstdint>
#include <cstdlib>

namespace {
using namespace skerry;

void check_bag(std::string_view text, iothub::Direction direction) {
    const auto bag = iothub::parse_property_bag(text, direction);
    if (!bag) return;
    model::Message message;
    message.properties = bag->application;
    // Duplicates of a system property don't survive, and are none of a writer's business.
    for (const auto& [name, value] : bag->system)
        if (value) message.set_system_property(name, *value);
    const auto written = iothub::format_property_bag(message, direction);
    const auto again = iothub::parse_property_bag(written, direction);
    if (!again || again->application.size() != message.properties.size()) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(iothub::parse_client_topic(text));
    static_cast<void>(iothub::parse_hub_topic(text));
    static_cast<void>(iothub::classify_filter(text));
    check_bag(text, iothub::Direction::to_hub);
    check_bag(text, iothub::Direction::to_client);
    return 0;
}
