#include "engine/module_logs.hpp"

#include "base/descriptor.hpp"
#include "base/task_scope.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace skerry::engine {

namespace {
constexpr std::size_t batch_bytes = 32 * 1024;

std::int64_t nanoseconds(WallTime time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

bool is_before(const LogRecord& record, const LogOptions& options) {
    return options.since && record.time_ns < nanoseconds(*options.since);
}
bool is_after(const LogRecord& record, const LogOptions& options) {
    return options.until && record.time_ns > nanoseconds(*options.until);
}

// How many of the wanted lines come before the last `tail`.
Result<std::size_t> lines_to_skip(storage::Files& files, const std::filesystem::path& folder,
                                  const LogOptions& options) {
    if (!options.tail) return 0;
    LogReader reader(files, folder);
    std::size_t lines = 0;
    bool open_line = false;
    for (;;) {
        const auto record = reader.next();
        if (!record) return std::unexpected(record.error());
        if (!*record || is_after(**record, options)) break;
        if (is_before(**record, options)) continue;
        const bool whole = (*record)->text.ends_with('\n');
        if (whole) ++lines;
        open_line = !whole;
    }
    if (open_line) ++lines;
    return lines > *options.tail ? lines - *options.tail : 0;
}

// Sets `wake` whenever something in the folder was written or renamed.
Task<> watch_folder(std::shared_ptr<Event> wake, std::shared_ptr<Descriptor> notifications) {
    std::array<char, 4096> ignored{};
    for (;;) {
        co_await notifications->wait_readable();
        static_cast<void>(::read(notifications->get(), ignored.data(), ignored.size()));
        wake->set();
    }
}

Task<> watch_module(std::shared_ptr<Event> wake, std::shared_ptr<Module> module) {
    for (;;) {
        co_await module->changed.wait();
        wake->set();
    }
}

Result<std::shared_ptr<Descriptor>> notifications_of(const Executor& executor, const std::filesystem::path& folder) {
    const int instance = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (instance < 0) return fail(system_error("following a log", errno));
    auto owned = Descriptor::adopt(executor, instance);
    if (!owned) return std::unexpected(owned.error());
    if (::inotify_add_watch(instance, folder.c_str(), IN_MODIFY | IN_MOVED_TO) < 0)
        return fail(system_error("following the log in " + folder.native(), errno));
    return std::make_shared<Descriptor>(std::move(*owned));
}

// Reads on from where it was, in batches.
class Sender {
public:
    Sender(storage::Files& files, const Module& module, const LogOptions& options, std::size_t skip,
           std::function<Task<bool>(std::string)>& on_frame)
        : reader_(files, module.folder), options_(options), skip_(skip), on_frame_(on_frame) {}

    // Sends all that is there now. False: no more is wanted.
    Task<Result<bool>> send() {
        std::string batch;
        for (;;) {
            auto record = reader_.next();
            if (!record) co_return std::unexpected(record.error());
            const bool wanted_later = !*record || !is_after(**record, options_);
            if (*record && wanted_later) take(batch, **record);
            const bool flush = !batch.empty() && (!*record || !wanted_later || batch.size() >= batch_bytes);
            if (flush && !co_await on_frame_(std::exchange(batch, {}))) co_return false;
            if (!wanted_later) co_return false;
            if (!*record) co_return true;
        }
    }

private:
    void take(std::string& batch, const LogRecord& record) {
        if (is_before(record, options_)) return;
        if (skip_ > 0) {
            if (record.text.ends_with('\n')) --skip_;
            return;
        }
        append_frame(batch, record, options_.timestamps);
    }

    LogReader reader_;
    const LogOptions& options_;
    std::size_t skip_;
    std::function<Task<bool>(std::string)>& on_frame_;
};
}  // namespace

void append_frame(std::string& out, const LogRecord& record, bool timestamp) {
    std::string text;
    if (timestamp)
        text =
            format_rfc3339(
                WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(record.time_ns))), 9) +
            ' ';
    text += record.text;
    out.push_back(static_cast<char>(record.stream));
    out.append(3, '\0');
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(text.size() >> shift & 0xff));
    out += text;
}

Task<Result<>> send_logs(Platform platform, std::shared_ptr<Module> module, LogOptions options,
                         std::function<Task<bool>(std::string)> on_frame) {
    const auto skip = lines_to_skip(platform.files, module->folder, options);
    if (!skip) co_return std::unexpected(skip.error());
    Sender sender(platform.files, *module, options, *skip, on_frame);
    if (!options.follow) {
        const auto sent = co_await sender.send();
        co_return sent ? Result<>{} : std::unexpected(sent.error());
    }
    const auto notifications = notifications_of(platform.executor, module->folder);
    if (!notifications) co_return std::unexpected(notifications.error());
    const auto wake = std::make_shared<Event>(platform.executor);
    TaskScope scope(platform.executor);  // its tasks own all they use
    scope.spawn("watch a log", watch_folder(wake, *notifications));
    scope.spawn("watch a module", watch_module(wake, module));
    for (;;) {
        wake->reset();
        const bool alive = module->alive != Alive::no;
        const auto sent = co_await sender.send();
        if (!sent || !*sent || !alive) {
            co_await scope.close();
            co_return sent ? Result<>{} : std::unexpected(sent.error());
        }
        co_await wake->wait();
    }
}

}  // namespace skerry::engine
