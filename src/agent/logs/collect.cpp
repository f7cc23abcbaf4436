#include "agent/logs/collect.hpp"

#include "agent/logs/selection.hpp"
#include "base/encoding.hpp"
#include "base/log.hpp"

#include <fmt/core.h>
#include <boost/json/value.hpp>

#include <utility>

namespace skerry::agent {

namespace json = boost::json;

namespace {

constexpr std::size_t most_in_answer = 127'000;
constexpr std::size_t send_from = 1024 * 1024;

Refusal refusal_of(const Error& error) {
    return {.status = error.code == Errc::malformed ? 400 : 500, .text = error.text};
}

Refusal too_large() {
    return {.status = 400,
            .text = fmt::format("The logs are larger than {} bytes; ask for less with tail, since or until, use the "
                                "encoding gzip, or UploadModuleLogs",
                                most_in_answer)};
}

struct Wanted {
    std::string module;
    const LogFilter* filter;
};

Task<Result<std::vector<Wanted>>> wanted_modules(LogSource& source, const LogRequest& request) {
    const auto modules = co_await source.modules();
    if (!modules) co_return fail(modules.error());
    std::vector<Wanted> wanted;
    for (const auto& module : *modules)
        if (const auto* filter = request.filter_for(module)) wanted.push_back({module, filter});
    co_return wanted;
}

LogOrigin origin_of(const DeviceFacts& facts, const std::string& module) {
    return {.hub = facts.hub_host, .device = facts.device_id, .module = module};
}

// Reads the whole log of a module into the selection; `goes_on` is awaited after each piece of it.
Task<Result<>> read_log(LogSource& source, std::string module, LogSelection& selection,
                        std::function<Task<bool>()> goes_on) {
    const LogSource::Taker feed = [&](const std::string& bytes) {
        selection.feed(bytes);
        return goes_on();
    };
    auto read = co_await source.read(module, selection.options(), feed);
    if (!read) co_return read;
    co_return selection.finish();
}

Task<bool> answered(bool answer) { co_return answer; }

// Sends what was selected while more is read; the reading waits for it.
class LogUpload {
public:
    LogUpload(LogSelection& selection, Blob& blob) : selection_(selection), blob_(blob) {}

    [[nodiscard]] bool works() const { return sent_.has_value(); }
    // False when it did not work.
    [[nodiscard]] Task<bool> send_enough() {
        co_await send_down_to(send_from);
        co_return works();
    }
    [[nodiscard]] Task<Result<>> finish() {
        co_await send_down_to(largest_piece + 1);
        if (!sent_) co_return sent_;
        co_return co_await blob_.finish(selection_.take());
    }

private:
    [[nodiscard]] Task<> send_down_to(std::size_t enough) {
        while (sent_ && selection_.written() >= enough) sent_ = co_await blob_.write(selection_.take(largest_piece));
    }

    LogSelection& selection_;
    Blob& blob_;
    Result<> sent_;
};

Task<Result<>> upload_log(LogSource& source, const DeviceFacts& facts, const Blob::Parts& storage,
                          const BlobPlace& place, const LogRequest& request, Wanted wanted) {
    const bool text = request.content == LogContent::text;
    const bool gzip = request.encoding == LogEncoding::gzip;
    LogSelection selection(origin_of(facts, wanted.module), *wanted.filter, request.content, request.encoding);
    const auto name =
        blob_name(facts, wanted.module, storage.clock.wall()) + (text ? ".log" : ".json") + (gzip ? ".gz" : "");
    Blob blob(storage, place, name,
              {.append = text,
               .content_type = text ? "text/plain" : "application/json",
               .content_encoding = gzip ? "gzip" : ""});
    LogUpload upload(selection, blob);
    auto read = co_await read_log(source, wanted.module, selection, [&upload] { return upload.send_enough(); });
    if (!read && upload.works()) co_return read;
    co_return co_await upload.finish();
}

}  // namespace

std::string blob_name(const DeviceFacts& facts, std::string_view name, WallTime now) {
    auto time = format_rfc3339(now, 0);  // 2024-01-31T10:00:00Z
    time.pop_back();
    time.replace(10, 1, "--");
    for (char& c : time)
        if (c == ':') c = '-';
    return fmt::format("{}/{}/{}-{}", facts.hub_host, facts.device_id, name, time);
}

Task<Answer<json::array>> get_logs(LogSource& source, const DeviceFacts& facts, LogRequest request) {
    const auto wanted = co_await wanted_modules(source, request);
    if (!wanted) co_return std::unexpected(refusal_of(wanted.error()));
    const bool gzip = request.encoding == LogEncoding::gzip;
    json::array logs;
    std::size_t total = 0;
    for (const auto& [module, filter] : *wanted) {
        LogSelection selection(origin_of(facts, module), *filter, request.content, request.encoding);
        const auto fits = [&] { return total + selection.written() <= most_in_answer; };
        const auto read = co_await read_log(source, module, selection, [&] { return answered(fits()); });
        if (!fits()) co_return std::unexpected(too_large());
        if (!read) co_return std::unexpected(refusal_of(read.error()));
        auto payload = gzip ? base64_encode(selection.take()) : as_utf8(selection.take());
        total += payload.size();
        if (total > most_in_answer) co_return std::unexpected(too_large());
        json::object entry{{"id", module}, {"payloadBytes", nullptr}, {"payload", nullptr}};
        entry[gzip ? "payloadBytes" : "payload"] = std::move(payload);
        logs.push_back(std::move(entry));
    }
    co_return logs;
}

Task<Result<>> upload_logs(LogSource& source, const DeviceFacts& facts, Blob::Parts storage, BlobPlace place,
                           LogRequest request) {
    const auto wanted = co_await wanted_modules(source, request);
    if (!wanted) co_return fail(wanted.error());
    std::optional<Error> failed;
    for (const auto& one : *wanted) {
        const auto uploaded = co_await upload_log(source, facts, storage, place, request, one);
        if (uploaded) continue;
        auto error = uploaded.error().while_doing(fmt::format("uploading the log of module '{}'", one.module));
        log::warn("{}", error.text);
        if (!failed) failed = std::move(error);
    }
    co_return failed ? Result<>(fail(std::move(*failed))) : Result<>{};
}

}  // namespace skerry::agent
