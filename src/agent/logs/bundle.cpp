#include "agent/logs/bundle.hpp"

#include "agent/logs/collect.hpp"

#include <boost/json/value.hpp>

#include <utility>

namespace skerry::agent {

namespace {

constexpr std::size_t send_from = 1024 * 1024;

// Pieces of a good size, out of what comes in any.
class Pieces {
public:
    explicit Pieces(Blob& blob) : blob_(blob) {}

    [[nodiscard]] Task<bool> take(std::string bytes) {
        held_ += bytes;
        any_ = any_ || !bytes.empty();
        if (held_.size() >= send_from) sent_ = co_await blob_.write(std::exchange(held_, {}));
        co_return sent_.has_value();
    }
    [[nodiscard]] const Result<>& sent() const { return sent_; }
    [[nodiscard]] bool any() const { return any_; }
    [[nodiscard]] Task<Result<>> finish() { return blob_.finish(std::exchange(held_, {})); }

private:
    Blob& blob_;
    std::string held_;
    bool any_{false};
    Result<> sent_;
};

}  // namespace

Answer<daemonapi::SupportBundleOptions> parse_bundle_request(const boost::json::object& payload) {
    auto since = optional_time(payload, "since");
    if (!since) return std::unexpected(std::move(since).error());
    auto until = optional_time(payload, "until");
    if (!until) return std::unexpected(std::move(until).error());
    daemonapi::SupportBundleOptions options{
        .since = std::move(*since), .until = std::move(*until), .edge_runtime_only = false};
    const auto* only = payload.if_contains("edgeRuntimeOnly");
    if (only == nullptr || only->is_null()) return options;
    if (!only->is_bool())
        return std::unexpected(Refusal{.status = 400, .text = "edgeRuntimeOnly must be true or false"});
    options.edge_runtime_only = only->get_bool();
    return options;
}

Task<Result<>> upload_bundle(LogSource& source, const DeviceFacts& facts, Blob::Parts storage, BlobPlace place,
                             daemonapi::SupportBundleOptions options) {
    const auto name = blob_name(facts, "support-bundle", storage.clock.wall()) + ".zip";
    Blob blob(std::move(storage), place, name,
              {.append = false, .content_type = "application/zip", .content_encoding = ""});
    Pieces pieces(blob);
    const LogSource::Taker take = [&pieces](std::string bytes) { return pieces.take(std::move(bytes)); };
    auto read = co_await source.read_bundle(std::move(options), take);
    if (!pieces.sent()) co_return pieces.sent();
    if (!read) co_return read;
    if (!pieces.any()) co_return fail(Errc::io, "the daemon sent an empty support bundle");
    co_return co_await pieces.finish();
}

}  // namespace skerry::agent
