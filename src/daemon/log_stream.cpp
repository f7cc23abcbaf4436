#include "daemon/log_stream.hpp"

#include "base/event.hpp"
#include "base/log.hpp"
#include "base/task_scope.hpp"

#include <memory>

namespace skerry::daemon {

namespace {
constexpr std::size_t waiting_batches = 4;
using Batches = std::shared_ptr<Mailbox<std::string>>;  // both ends may go first

Task<bool> push(Batches batches, std::string frames) {
    const auto pushed = co_await batches->push(std::move(frames));
    co_return pushed.has_value();
}

Task<> produce(engine::Engine& engine, std::string module, engine::LogOptions options, Batches batches) {
    const auto sent = co_await engine.logs(module, std::move(options),
                                           [batches](std::string frames) { return push(batches, std::move(frames)); });
    if (!sent) log::warn("the log of module {} ends early: {}", module, sent.error().text);
    batches->close();
}

struct Streaming {
    explicit Streaming(const Executor& executor)
        : batches(std::make_shared<Mailbox<std::string>>(executor, waiting_batches)), scope(executor) {}
    Batches batches;
    TaskScope scope;  // goes with the answer
};

Task<std::optional<std::string>> next(std::shared_ptr<Streaming> streaming) {
    auto batch = co_await streaming->batches->pop();
    if (!batch) co_return std::nullopt;
    co_return std::move(*batch);
}
}  // namespace

std::function<Task<std::optional<std::string>>()> stream_logs(Executor executor, engine::Engine& engine,
                                                              std::string module, engine::LogOptions options) {
    const auto streaming = std::make_shared<Streaming>(executor);
    streaming->scope.spawn("log of " + module, produce(engine, module, std::move(options), streaming->batches));
    return [streaming] { return next(streaming); };
}

}  // namespace skerry::daemon
