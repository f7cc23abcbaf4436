#include "agent/runtime.hpp"

#include <chrono>

namespace skerry::agent {

Result<std::unique_ptr<DaemonRuntime>> DaemonRuntime::create(net::Network& network, Clock& clock,
                                                             std::string_view uri) {
    auto looking = daemonapi::ManagementClient::create(network, clock, uri);
    if (!looking) return fail(looking.error().while_doing("reading IOTEDGE_MANAGEMENTURI"));
    return std::unique_ptr<DaemonRuntime>(new DaemonRuntime(network, clock, std::string(uri), std::move(*looking)));
}

DaemonRuntime::Client DaemonRuntime::connection() {
    // The address was accepted when this object was made.
    return std::move(daemonapi::ManagementClient::create(network_, clock_, uri_).value());
}

Task<Result<daemonapi::ModuleList>> DaemonRuntime::list() { return looking_->list_modules(); }

Task<Result<bool>> DaemonRuntime::wait_change(std::string tag) {
    return waiting_->wait_change(std::move(tag), std::chrono::minutes(1));
}

Task<Result<>> DaemonRuntime::prepare(model::ModuleSpec spec) {
    const auto daemon = connection();
    co_return co_await daemon->prepare_update(spec);
}

Task<Result<>> DaemonRuntime::create(model::ModuleSpec spec) {
    const auto daemon = connection();
    co_return co_await daemon->create_module(spec);
}

Task<Result<>> DaemonRuntime::update(model::ModuleSpec spec, bool start) {
    const auto daemon = connection();
    co_return co_await daemon->update_module(spec, start);
}

Task<Result<>> DaemonRuntime::start(std::string name) {
    const auto daemon = connection();
    co_return co_await daemon->start_module(std::move(name));
}

Task<Result<>> DaemonRuntime::stop(std::string name) {
    const auto daemon = connection();
    co_return co_await daemon->stop_module(std::move(name));
}

Task<Result<>> DaemonRuntime::restart(std::string name) {
    const auto daemon = connection();
    co_return co_await daemon->restart_module(std::move(name));
}

Task<Result<>> DaemonRuntime::remove(std::string name) {
    const auto daemon = connection();
    co_return co_await daemon->remove_module(std::move(name));
}

Task<Result<std::vector<daemonapi::IdentityEntry>>> DaemonRuntime::identities() {
    const auto daemon = connection();
    co_return co_await daemon->list_identities();
}

Task<Result<daemonapi::IdentityEntry>> DaemonRuntime::create_identity(std::string module_id) {
    const auto daemon = connection();
    co_return co_await daemon->create_identity(std::move(module_id));
}

Task<Result<>> DaemonRuntime::delete_identity(std::string module_id) {
    const auto daemon = connection();
    co_return co_await daemon->delete_identity(std::move(module_id));
}

Task<Result<boost::json::object>> DaemonRuntime::system_info() {
    const auto daemon = connection();
    co_return co_await daemon->system_info();
}

Task<Result<boost::json::object>> DaemonRuntime::resources() {
    const auto daemon = connection();
    co_return co_await daemon->system_resources();
}

Task<Result<std::string>> DaemonRuntime::log_tail(std::string name, int lines) {
    constexpr std::size_t most = std::size_t{256} * 1024;
    const auto daemon = connection();
    std::string frames;
    const auto read =
        co_await daemon->logs(std::move(name), {.tail = std::to_string(lines)}, [&frames](std::string_view bytes) {
            frames += bytes.substr(0, most - frames.size());
            return frames.size() < most;
        });
    if (!read && frames.empty()) co_return fail(read.error());
    co_return frames;
}

}  // namespace skerry::agent
