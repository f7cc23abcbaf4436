// Who has to go when there is no room for one more connection: a crowd that only waits must not keep others out.
//
// Promises: pure. The host with the most of them loses its oldest one, so that who floods pushes out itself.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace skerry::net {

// "127.0.0.1" of "127.0.0.1:40712", "[::1]" of "[::1]:443".
[[nodiscard]] std::string_view host_of(std::string_view address);
// The place in the list, which begins with the oldest; nullopt when it is empty.
[[nodiscard]] std::optional<std::size_t> who_goes(const std::vector<std::string_view>& hosts);

}  // namespace skerry::net
