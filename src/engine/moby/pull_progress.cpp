#include "engine/moby/pull_progress.hpp"

#include "base/encoding.hpp"
#include "engine/moby/fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace skerry::engine::moby {

namespace {
constexpr std::size_t most_layers = 1000;
constexpr std::size_t longest_error = 1000;

std::uint64_t bytes_at(const boost::json::object& object, std::string_view name) {
    constexpr std::int64_t most = std::int64_t{1} << 50;
    return static_cast<std::uint64_t>(std::clamp<std::int64_t>(number_at(object, name), 0, most));
}

bool has_any(std::string_view text, std::initializer_list<std::string_view> parts) {
    return std::ranges::any_of(parts, [&](std::string_view part) { return text.find(part) != text.npos; });
}
}  // namespace

Errc pull_code(std::string_view message, Errc otherwise) {
    const auto text = to_lower(message);
    // Docker says of a private registry "pull access denied … or may require 'docker login'" when it knows nothing.
    if (has_any(text, {"unauthorized", "authentication required", "no basic auth credentials", "access denied",
                       "forbidden", "incorrect username or password"}))
        return Errc::unauthorized;
    if (has_any(text,
                {"manifest unknown", "not found", "repository does not exist", "name unknown", "no matching manifest"}))
        return has_any(text, {"server misbehaving", "no such host"}) ? Errc::unreachable : Errc::not_found;
    if (has_any(text, {"invalid reference format"})) return Errc::malformed;
    if (has_any(text, {"no such host", "connection refused", "timeout", "deadline exceeded", "unreachable",
                       "server misbehaving", "connection reset", "no route to host", "eof", "try again",
                       "temporary failure", "request canceled", "tls handshake", "toomanyrequests"}))
        return Errc::unreachable;
    return otherwise;
}

Result<> PullProgress::take(const boost::json::object& line) {
    auto error = text_at(object_at(line, "errorDetail"), "message");
    if (error.empty()) error = text_at(line, "error");
    if (!error.empty()) {
        if (error.size() > longest_error) error.resize(longest_error);
        return fail(pull_code(error, Errc::io), error);
    }
    const auto status = text_at(line, "status");
    const auto id = text_at(line, "id");
    const bool is_layer = !id.empty() && !status.starts_with("Pulling from");
    if (!is_layer || (!layers_.contains(id) && layers_.size() >= most_layers)) return {};
    auto& layer = layers_[id];
    const auto& detail = object_at(line, "progressDetail");
    if (status == "Downloading") {
        layer.got = std::max(layer.got, bytes_at(detail, "current"));
        layer.total = std::max(layer.total, bytes_at(detail, "total"));
    } else if (status == "Pull complete" || status == "Already exists") {
        layer.complete = true;
        layer.got = layer.total;
    } else if (status == "Download complete") {
        layer.got = layer.total;
    }
    return {};
}

std::uint64_t PullProgress::bytes() const {
    std::uint64_t got = 0;
    for (const auto& [id, layer] : layers_) got += layer.got;
    return got;
}

std::string PullProgress::text() const {
    constexpr double megabyte = 1e6;
    std::uint64_t total = 0;
    std::size_t complete = 0;
    for (const auto& [id, layer] : layers_) {
        total += layer.total;
        complete += layer.complete ? 1 : 0;
    }
    return fmt::format("{} of {} layers, {:.1f} of {:.1f} MB", complete, layers_.size(),
                       static_cast<double>(bytes()) / megabyte, static_cast<double>(total) / megabyte);
}

}  // namespace skerry::engine::moby
