// Twin documents from outside: parsing, checking, merging, and the two schemas over them.
#include "model/hub_config.hpp"
#include "model/manifest.hpp"
#include "model/twin.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto cut = text.find('\n');
    const auto first = model::parse_object(text.substr(0, cut));
    if (!first) return 0;
    static_cast<void>(model::validate_reported(*first));
    static_cast<void>(model::parse_manifest(*first, "parent"));
    static_cast<void>(model::parse_hub_config(*first));
    if (cut == std::string_view::npos) return 0;
    const auto second = model::parse_object(text.substr(cut + 1));
    if (!second) return 0;
    auto merged = *first;
    model::merge_patch(merged, model::diff(*first, *second));
    if (!model::diff(merged, *second).empty()) std::abort();
    return 0;
}
