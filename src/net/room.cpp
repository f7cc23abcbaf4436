#include "net/room.hpp"

#include <algorithm>
#include <map>

namespace skerry::net {

std::string_view host_of(std::string_view address) { return address.substr(0, address.rfind(':')); }

std::optional<std::size_t> who_goes(const std::vector<std::string_view>& hosts) {
    if (hosts.empty()) return std::nullopt;
    std::map<std::string_view, std::size_t> counts;
    for (const auto host : hosts) ++counts[host];
    const auto most = std::ranges::max_element(counts, {}, [](const auto& entry) { return entry.second; });
    return static_cast<std::size_t>(std::ranges::find(hosts, most->first) - hosts.begin());
}

}  // namespace skerry::net
