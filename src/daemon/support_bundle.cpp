#include "daemon/support_bundle.hpp"

#include "base/event.hpp"
#include "base/log.hpp"
#include "base/task_scope.hpp"
#include "codec/zip.hpp"
#include "daemon/check/check.hpp"
#include "daemon/log_query.hpp"
#include "daemon/system_info.hpp"
#include "daemon/toml_document.hpp"
#include "daemonapi/log_frames.hpp"
#include "daemonapi/shapes.hpp"
#include "storage/files.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace skerry::daemon {

namespace json = boost::json;

namespace {

constexpr std::size_t piece = 64 * 1024;
constexpr std::size_t waiting_pieces = 2;
constexpr std::size_t most_modules = 1'000;
constexpr std::size_t largest_log = std::size_t{512} * 1024 * 1024;

constexpr Duration time_to_check = std::chrono::seconds(25);

using Pieces = std::shared_ptr<Mailbox<std::string>>;  // both ends may go first

// A module's name as a file's: whoever unpacks the archive must not be led astray.
std::string file_name(std::string_view module) {
    std::string name(module);
    for (char& c : name)
        if (c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20) c = '_';
    return name.starts_with('.') ? "_" + name : name;
}

class Bundle {
public:
    Bundle(BundleSources sources, BundleOptions options, Pieces pieces)
        : sources_(std::move(sources)), options_(std::move(options)), pieces_(std::move(pieces)) {}

    [[nodiscard]] Task<> write() {
        co_await add_machine();
        const auto listed = co_await sources_.engine.list();
        auto modules = listed.value_or(std::vector<model::ModuleStatus>{});
        std::erase_if(modules, [this](const model::ModuleStatus& module) {
            return options_.edge_runtime_only && module.name != "edgeAgent" && module.name != "edgeHub";
        });
        modules.resize(std::min(modules.size(), most_modules));
        co_await add_modules(modules, listed);
        co_await add_networks();
        co_await add_check();
        co_await add_own_log();
        for (const auto& module : modules) co_await add_log(module.name);
        zip_.finish();
        static_cast<void>(co_await send(0));
    }

private:
    // False: nobody takes it any more.
    [[nodiscard]] Task<bool> send(std::size_t from) {
        if (zip_.written() < std::max<std::size_t>(from, 1)) co_return true;
        const auto pushed = co_await pieces_->push(zip_.take());
        co_return pushed.has_value();
    }

    [[nodiscard]] Task<> add(std::string name, std::string text) {
        if (zip_.begin(name, sources_.platform.clock.wall())) static_cast<void>(zip_.write(text));
        static_cast<void>(co_await send(piece));
    }

    [[nodiscard]] Task<> add_machine() {
        auto& files = sources_.platform.files;
        co_await add("systeminfo.json", json::serialize(describe_system(files, sources_.engine.info())));
        const auto statistics = co_await sources_.engine.statistics();
        CpuMeter since_boot;
        co_await add("resources.json",
                     json::serialize(describe_resources(files, sources_.home, sources_.process_uptime, since_boot,
                                                        statistics.value_or(json::array{}))));
        const auto text = storage::read_file(files, sources_.config);
        const auto config = text ? parse_toml(*text) : Result<json::object>(fail(text.error()));
        co_await add("config.json", config ? json::serialize(redacted(*config)) : config.error().text);
    }

    [[nodiscard]] Task<> add_modules(const std::vector<model::ModuleStatus>& modules,
                                     const Result<std::vector<model::ModuleStatus>>& listed) {
        json::array all;
        for (const auto& module : modules) {
            all.push_back(redacted(daemonapi::to_json(module)));
            co_await add_inspection(module.name, all.back().get_object());
        }
        co_await add("modules.json", listed ? json::serialize(all) : listed.error().text);
    }

    [[nodiscard]] Task<> add_inspection(std::string module, json::object ours) {
        const auto theirs = co_await sources_.engine.describe(module);
        if (!theirs && theirs.error().code != Errc::unsupported) ours["inspectError"] = theirs.error().text;
        const json::value inspected = theirs ? json::value(json::array{redacted(*theirs)}) : json::value(ours);
        co_await add("inspect/" + file_name(module) + ".json", json::serialize(inspected));
    }

    [[nodiscard]] Task<> add_networks() {
        const auto networks = co_await sources_.engine.describe_networks();
        if (!networks && networks.error().code != Errc::unsupported)
            co_await add("network/error.txt", networks.error().text + "\n");
        if (!networks) co_return;
        for (const auto& network : *networks) {
            const auto* const object = network.if_object();
            const auto* const name = object == nullptr ? nullptr : object->if_contains("Name");
            if (name == nullptr || !name->is_string()) continue;
            co_await add("network/" + file_name(name->get_string()) + ".json",
                         json::serialize(json::array{redacted(*object)}));
        }
    }

    [[nodiscard]] Task<> add_check() {
        const auto report = co_await run_checks(sources_.platform,
                                                {.config = sources_.config, .dont_run = {}, .budget = time_to_check});
        co_await add("check.json", json::serialize(report_json(report)));
    }

    [[nodiscard]] Task<> add_own_log() {
        const auto& log = sources_.own_log;
        if (!zip_.begin("logs/" + file_name(log.name()) + ".txt", sources_.platform.clock.wall())) co_return;
        // Outlives the call that takes it.
        const std::function<Task<bool>(std::string)> take = [this](std::string bytes) {
            return put_text(std::move(bytes));
        };
        co_await read_own_log(sources_.platform.executor, sources_.platform.clock, log, options_.since, options_.until,
                              take);
    }

    [[nodiscard]] Task<bool> put_text(std::string bytes) { co_return zip_.write(bytes) && co_await send(piece); }

    [[nodiscard]] Task<> add_log(std::string module) {
        if (!zip_.begin("logs/" + file_name(module) + "_log.txt", sources_.platform.clock.wall())) co_return;
        daemonapi::LogFrames frames;
        std::size_t size = 0;
        engine::LogOptions options;
        options.timestamps = true;
        options.since = options_.since;
        options.until = options_.until;
        // Outlives the call that takes it.
        const std::function<Task<bool>(std::string)> take = [&](std::string bytes) -> Task<bool> {
            return put(frames, size, std::move(bytes));
        };
        const auto read = co_await sources_.engine.logs(module, options, take);
        if (!read) static_cast<void>(zip_.write("\nThis log ends early: " + read.error().text + "\n"));
        static_cast<void>(co_await send(piece));
    }

    [[nodiscard]] Task<bool> put(daemonapi::LogFrames& frames, std::size_t& size, std::string bytes) {
        frames.feed(bytes);
        while (const auto frame = frames.next()) {
            size += frame->text.size();
            if (size > largest_log || !zip_.write(frame->text)) {
                static_cast<void>(zip_.write("\nThis log ends early: it is too large; use since\n"));
                co_return false;
            }
        }
        if (frames.broken()) co_return false;
        co_return co_await send(piece);
    }

    BundleSources sources_;
    BundleOptions options_;
    Pieces pieces_;
    codec::ZipWriter zip_;
};

Task<> produce(BundleSources sources, BundleOptions options, Pieces pieces) {
    Bundle bundle(std::move(sources), std::move(options), pieces);
    co_await bundle.write();
    pieces->close();
}

struct Streaming {
    explicit Streaming(const Executor& executor)
        : pieces(std::make_shared<Mailbox<std::string>>(executor, waiting_pieces)), scope(executor) {}
    Pieces pieces;
    TaskScope scope;  // goes with the answer
};

Task<std::optional<std::string>> next(std::shared_ptr<Streaming> streaming) {
    auto taken = co_await streaming->pieces->pop();
    if (!taken) co_return std::nullopt;
    co_return std::move(*taken);
}

}  // namespace

Result<BundleOptions> parse_bundle_query(const codec::HttpRequest& request, WallTime now) {
    const auto since = log_time_at(request, "since", now);
    if (!since) return std::unexpected(since.error());
    const auto until = log_time_at(request, "until", now);
    if (!until) return std::unexpected(until.error());
    const auto only = request.query("edge_runtime_only").value_or("false");
    if (only != "true" && only != "false") return fail(Errc::malformed, "invalid parameter: edge_runtime_only");
    return BundleOptions{.since = *since, .until = *until, .edge_runtime_only = only == "true"};
}

std::function<Task<std::optional<std::string>>()> stream_bundle(BundleSources sources, BundleOptions options) {
    const auto streaming = std::make_shared<Streaming>(sources.platform.executor);
    streaming->scope.spawn("support bundle", produce(std::move(sources), std::move(options), streaming->pieces));
    return [streaming] { return next(streaming); };
}

}  // namespace skerry::daemon
