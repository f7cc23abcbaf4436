#include "sdk/blocking_module_client.hpp"

#include "base/log.hpp"
#include "base/timeout.hpp"
#include "model/twin.hpp"
#include "sdk/blocking_state.hpp"

#include <fmt/core.h>
#include <boost/json/serialize.hpp>

#include <exception>
#include <utility>

namespace skerry::sdk {

namespace {
using State = BlockingModuleClient::State;

Task<Result<>> keep(State& state, Task<Result<std::unique_ptr<ModuleClient>>> made) {
    auto client = co_await std::move(made);
    if (!client) co_return fail(client.error());
    state.client = std::move(*client);
    co_return Result<>{};
}

Result<> call_input(const BlockingModuleClient::InputHandler& handler, const Message& message) {
    try {
        return handler(message);
    } catch (const std::exception& thrown) {
        return fail(Errc::internal, fmt::format("the handler threw: {}", thrown.what()));
    }
}

MethodReply call_method(const BlockingModuleClient::MethodHandler& handler, const std::string& payload) {
    try {
        return handler(payload);
    } catch (const std::exception& thrown) {
        log::error("the handler of a method threw: {}", thrown.what());
        return {500, R"({"message":"the method's handler failed"})"};
    }
}

bool call_desired(const BlockingModuleClient::DesiredHandler& handler, const std::string& desired) {
    try {
        handler(desired);
        return true;
    } catch (const std::exception& thrown) {
        log::error("the handler of the desired properties threw: {}", thrown.what());
        return false;
    }
}

Task<Result<>> run_input(Worker& worker, BlockingModuleClient::InputHandler handler, Message message) {
    co_return co_await worker.run([&] { return call_input(handler, message); });
}
Task<MethodReply> run_method(Worker& worker, BlockingModuleClient::MethodHandler handler, std::string payload) {
    co_return co_await worker.run([&] { return call_method(handler, payload); });
}
Task<> run_desired(Worker& worker, BlockingModuleClient::DesiredHandler handler, std::string desired) {
    (void)co_await worker.run([&] { return call_desired(handler, desired); });
}

Task<Result<>> set_input(State& state, std::string input, BlockingModuleClient::InputHandler handler) {
    state.client->set_input_handler(std::move(input),
                                    [&worker = *state.worker, handler = std::move(handler)](Message message) {
                                        return run_input(worker, handler, std::move(message));
                                    });
    co_return Result<>{};
}
Task<Result<>> set_method(State& state, std::string method, BlockingModuleClient::MethodHandler handler) {
    state.client->set_method_handler(std::move(method),
                                     [&worker = *state.worker, handler = std::move(handler)](std::string payload) {
                                         return run_method(worker, handler, std::move(payload));
                                     });
    co_return Result<>{};
}
Task<Result<>> set_desired(State& state, BlockingModuleClient::DesiredHandler handler) {
    state.client->set_desired_handler(
        [&worker = *state.worker, handler = std::move(handler)](const boost::json::object& desired) {
            return run_desired(worker, handler, boost::json::serialize(desired));
        });
    co_return Result<>{};
}

Task<Result<>> connected(ModuleClient& client) {
    co_await client.wait_connected();
    co_return Result<>{};
}

Task<Result<>> open_client(Platform platform, ModuleClient& client, Duration limit) {
    client.start();
    auto opened = co_await with_timeout<void>(platform.clock, limit, connected(client));
    if (!opened && client.last_error() != nullptr)
        co_return fail(Errc::timeout, "no connection yet: " + client.last_error()->text);
    co_return opened;
}

Task<Result<std::string>> read_twin(ModuleClient& client) {
    const auto twin = co_await client.get_twin();
    if (!twin) co_return fail(twin.error());
    co_return boost::json::serialize(*twin);
}

Task<Result<>> close_client(State& state) {
    if (state.client) co_await state.client->close();
    co_return Result<>{};
}
}  // namespace

Result<> BlockingModuleClient::State::create(const Make& make) {
    return loop.call<void>([this, &make](Platform platform) { return keep(*this, make(platform)); });
}

Result<std::unique_ptr<BlockingModuleClient>> BlockingModuleClient::from_environment() {
    const auto state = std::make_shared<State>();
    const auto created = state->create([](Platform platform) { return ModuleClient::from_environment(platform); });
    if (!created) return fail(created.error());
    return std::make_unique<BlockingModuleClient>(state);
}

BlockingModuleClient::BlockingModuleClient(std::shared_ptr<State> state) : state_(std::move(state)) {}
BlockingModuleClient::~BlockingModuleClient() { close(); }

void BlockingModuleClient::set_input_handler(std::string input, InputHandler handler) {
    (void)state_->loop.call<void>([&](Platform) { return set_input(*state_, std::move(input), std::move(handler)); });
}

void BlockingModuleClient::set_method_handler(std::string method, MethodHandler handler) {
    (void)state_->loop.call<void>([&](Platform) { return set_method(*state_, std::move(method), std::move(handler)); });
}

void BlockingModuleClient::set_desired_handler(DesiredHandler handler) {
    (void)state_->loop.call<void>([&](Platform) { return set_desired(*state_, std::move(handler)); });
}

Result<> BlockingModuleClient::open(std::chrono::milliseconds limit) {
    return state_->loop.call<void>([&](Platform platform) { return open_client(platform, *state_->client, limit); });
}

Result<> BlockingModuleClient::send_event(std::string output, Message message, Retry retry) {
    return state_->loop.call<void>(
        [&](Platform) { return state_->client->send_event(std::move(output), std::move(message), retry); });
}

Result<std::string> BlockingModuleClient::get_twin() {
    return state_->loop.call<std::string>([&](Platform) { return read_twin(*state_->client); });
}

Result<> BlockingModuleClient::report(const std::string& patch_json) {
    auto patch = model::parse_object(patch_json);
    if (!patch) return fail(patch.error().while_doing("reading the patch to report"));
    return state_->loop.call<void>([&](Platform) { return state_->client->report(std::move(*patch)); });
}

void BlockingModuleClient::wait() { state_->loop.wait(); }

void BlockingModuleClient::close() {
    state_->loop.close([&](Platform) { return close_client(*state_); });
}

}  // namespace skerry::sdk
