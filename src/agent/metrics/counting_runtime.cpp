#include "agent/metrics/counting_runtime.hpp"

#include <algorithm>
#include <utility>

namespace skerry::agent {

CountingRuntime::CountingRuntime(ModuleRuntime& inner, Metrics& metrics, Clock& clock,
                                 std::function<std::string(const std::string&)> version_of)
    : inner_(inner), metrics_(metrics), clock_(clock), version_of_(std::move(version_of)) {}

bool CountingRuntime::took(std::string_view kind, SteadyTime since, const Result<>& result) {
    if (!result && result.error().code == Errc::unreachable) return false;
    metrics_.command(kind, clock_.steady() - since);
    return true;
}

const std::string& CountingRuntime::version_there(const std::string& name) {
    const auto known = versions_.find(name);
    return known != versions_.end() ? known->second : versions_[name] = version_of_(name);
}

// What is there when we come was made by the deployment that is in force then.
Task<Result<daemonapi::ModuleList>> CountingRuntime::list() {
    auto listed = co_await inner_.list();
    if (!listed) co_return listed;
    std::erase_if(versions_, [&](const auto& entry) {
        return std::ranges::find(listed->modules, entry.first, &model::ModuleStatus::name) == listed->modules.end();
    });
    for (const auto& module : listed->modules) {
        if (versions_.contains(module.name)) continue;
        if (auto version = version_of_(module.name); !version.empty()) versions_[module.name] = std::move(version);
    }
    co_return listed;
}

Task<Result<bool>> CountingRuntime::wait_change(std::string tag) { return inner_.wait_change(std::move(tag)); }

Task<Result<>> CountingRuntime::prepare(model::ModuleSpec spec) {
    const auto since = clock_.steady();
    const auto name = spec.name;
    auto done = co_await inner_.prepare(std::move(spec));
    if (took("prepareUpdate", since, done)) metrics_.prepared(name, version_of_(name));
    co_return done;
}

Task<Result<>> CountingRuntime::create(model::ModuleSpec spec) {
    const auto since = clock_.steady();
    const auto name = spec.name;
    auto done = co_await inner_.create(std::move(spec));
    if (took("create", since, done) && done) versions_[name] = version_of_(name);
    co_return done;
}

Task<Result<>> CountingRuntime::update(model::ModuleSpec spec, bool start) {
    const auto since = clock_.steady();
    const auto name = spec.name;
    const auto before = version_there(name);
    auto done = co_await inner_.update(std::move(spec), start);
    if (!took("update", since, done)) co_return done;
    metrics_.stopped(name, before);
    if (start) metrics_.started(name, version_of_(name));
    if (done) versions_[name] = version_of_(name);
    co_return done;
}

Task<Result<>> CountingRuntime::start(std::string name) {
    const auto since = clock_.steady();
    auto done = co_await inner_.start(name);
    if (took("start", since, done)) metrics_.started(name, version_there(name));
    co_return done;
}

Task<Result<>> CountingRuntime::stop(std::string name) {
    const auto since = clock_.steady();
    auto done = co_await inner_.stop(name);
    if (took("stop", since, done)) metrics_.stopped(name, version_there(name));
    co_return done;
}

Task<Result<>> CountingRuntime::restart(std::string name) {
    const auto since = clock_.steady();
    auto done = co_await inner_.restart(name);
    if (!took("restart", since, done)) co_return done;
    metrics_.stopped(name, version_there(name));
    metrics_.started(name, version_there(name));
    co_return done;
}

Task<Result<>> CountingRuntime::remove(std::string name) {
    const auto since = clock_.steady();
    auto done = co_await inner_.remove(name);
    if (took("remove", since, done) && done) versions_.erase(name);
    co_return done;
}

Task<Result<std::vector<daemonapi::IdentityEntry>>> CountingRuntime::identities() { return inner_.identities(); }

Task<Result<daemonapi::IdentityEntry>> CountingRuntime::create_identity(std::string module_id) {
    return inner_.create_identity(std::move(module_id));
}

Task<Result<>> CountingRuntime::delete_identity(std::string module_id) {
    return inner_.delete_identity(std::move(module_id));
}

Task<Result<boost::json::object>> CountingRuntime::system_info() { return inner_.system_info(); }

Task<Result<boost::json::object>> CountingRuntime::resources() { return inner_.resources(); }

Task<Result<std::string>> CountingRuntime::log_tail(std::string name, int lines) {
    return inner_.log_tail(std::move(name), lines);
}

}  // namespace skerry::agent
