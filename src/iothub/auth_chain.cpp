#include "iothub/auth_chain.hpp"

#include "model/identity.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::iothub {

namespace {
constexpr std::size_t longest_chain = 16;

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}
}  // namespace

Result<std::vector<std::string>> parse_auth_chain(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const auto end = std::min(text.find(';'), text.size());
        const auto id = trimmed(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (id.empty()) continue;
        if (!model::Identity::parse(id)) return fail(Errc::malformed, "the auth-chain has an invalid id");
        if (out.size() == longest_chain)
            return fail(Errc::malformed, fmt::format("the auth-chain has over {} ids", longest_chain));
        out.emplace_back(id);
    }
    return out;
}

std::string format_auth_chain(const std::vector<std::string>& chain) {
    return fmt::format("{}", fmt::join(chain, ";"));
}

}  // namespace skerry::iothub
