#include "cloud/rest/shapes.hpp"
#include "model/twin.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry;
    const auto body = model::parse_object({reinterpret_cast<const char*>(data), size});
    if (!body) return 0;
    static_cast<void>(cloud::parse_registration(*body, *model::Identity::device("d")));
    static_cast<void>(cloud::parse_method_call(*body));
    const auto change = cloud::parse_twin_change(*body);
    if (!change || !change->desired || !cloud::check_values(*change->desired, "desired")) return 0;
    auto section = cloud::empty_section(cloud::SectionKind::desired, {});
    cloud::patch_section(section, cloud::SectionKind::desired, *change->desired, {});
    cloud::replace_section(section, cloud::SectionKind::desired, *change->desired, {});
    return 0;
}
