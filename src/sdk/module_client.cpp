#include "sdk/module_client.hpp"

#include "base/event.hpp"
#include "base/log.hpp"
#include "sdk/desired.hpp"

#include <fmt/core.h>

#include <map>
#include <optional>
#include <utility>

namespace skerry::sdk {

namespace {
model::SharedMessage to_model(std::string output, Message message) {
    auto made = std::make_shared<model::Message>();
    made->body = std::move(message.body);
    for (const auto& [name, value] : message.properties) made->properties.emplace_back(name, value);
    const auto set = [&made](std::string_view name, std::string_view value) {
        if (!value.empty()) made->set_system_property(name, value);
    };
    set("outputName", output);
    set("messageId", message.message_id);
    set("cid", message.correlation_id);
    set("contentType", message.content_type);
    set("contentEncoding", message.content_encoding);
    return made;
}

Message from_model(model::Message message) {
    const auto get = [&message](std::string_view name) {
        return std::string(message.system_property(name).value_or(""));
    };
    Message made{.body = {},
                 .message_id = get("messageId"),
                 .correlation_id = get("cid"),
                 .content_type = get("contentType"),
                 .content_encoding = get("contentEncoding"),
                 .properties = {},
                 .sender_device = get("connectionDeviceId"),
                 .sender_module = get("connectionModuleId")};
    made.body = std::move(message.body);
    made.properties.reserve(message.properties.size());
    for (const auto& [name, value] : message.properties) made.properties.emplace_back(name, value.value_or(""));
    return made;
}
}  // namespace

struct ModuleClient::State : std::enable_shared_from_this<State> {
    State(Platform on, Connection with)
        : platform(on), connection(std::move(with)), handler_added(on.executor), desired(on) {}

    [[nodiscard]] iothub::DeviceClientHandlers handlers();
    [[nodiscard]] static Task<Result<>> take_input(std::shared_ptr<State> self, std::string input,
                                                   model::Message message);
    [[nodiscard]] static Task<iothub::MethodResponse> take_method(std::shared_ptr<State> self,
                                                                  iothub::MethodRequest request);
    [[nodiscard]] static Task<> take_desired(std::shared_ptr<State> self, boost::json::object patch);
    [[nodiscard]] static Task<Result<>> send_once(std::shared_ptr<State> self, model::SharedMessage message);
    [[nodiscard]] static Task<Result<>> send_until_acknowledged(std::shared_ptr<State> self,
                                                                model::SharedMessage message);

    Platform platform;
    Connection connection;
    std::map<std::string, InputHandler> inputs;
    std::map<std::string, MethodHandler> methods;
    Signal handler_added;
    Desired desired;
    std::optional<iothub::DeviceClient> client;
    bool closed{false};
};

// The client is part of the state that these handlers use: weak, or neither would ever go.
iothub::DeviceClientHandlers ModuleClient::State::handlers() {
    iothub::DeviceClientHandlers handlers;
    const auto self = weak_from_this();
    if (!inputs.empty())
        handlers.on_input = [self](std::string input, model::Message message) {
            return take_input(self.lock(), std::move(input), std::move(message));
        };
    if (!methods.empty())
        handlers.on_method = [self](iothub::MethodRequest request) {
            return take_method(self.lock(), std::move(request));
        };
    if (desired.wanted())
        handlers.on_desired = [self](boost::json::object patch) { return take_desired(self.lock(), std::move(patch)); };
    const auto name = connection.options.identity.id();
    handlers.on_connected = [self, name] {
        log::info("{}: connected to the hub", name);
        if (const auto state = self.lock()) state->desired.read_again();
    };
    handlers.on_disconnected = [](const Error&) {};
    return handlers;
}

Task<Result<>> ModuleClient::State::take_input(std::shared_ptr<State> self, std::string input, model::Message message) {
    if (!self) co_return fail(Errc::closed, "the module is ending");
    auto handler = self->inputs.find(input);
    if (handler == self->inputs.end()) log::warn("a message for input '{}' waits: it has no handler", input);
    while (handler == self->inputs.end()) {
        co_await self->handler_added.wait();
        handler = self->inputs.find(input);
    }
    const auto handle = handler->second;  // stays while its coroutine runs
    const auto handled = co_await handle(from_model(std::move(message)));
    if (!handled) co_return fail(handled.error().while_doing(fmt::format("handling a message of input '{}'", input)));
    co_return Result<>{};
}

Task<iothub::MethodResponse> ModuleClient::State::take_method(std::shared_ptr<State> self,
                                                              iothub::MethodRequest request) {
    if (!self) co_return iothub::MethodResponse{503, {}};
    const auto handler = self->methods.find(request.method);
    if (handler == self->methods.end())
        co_return iothub::MethodResponse{501, R"({"message":"the module has no method of this name"})"};
    const auto handle = handler->second;
    auto reply = co_await handle(std::move(request.payload));
    co_return iothub::MethodResponse{reply.status, std::move(reply.payload)};
}

Task<> ModuleClient::State::take_desired(std::shared_ptr<State> self, boost::json::object patch) {
    if (self) self->desired.merge(patch);
    co_return;
}

Task<Result<>> ModuleClient::State::send_once(std::shared_ptr<State> self, model::SharedMessage message) {
    if (!self->client) co_return fail(Errc::unreachable, "the module was not started: call start()");
    co_return co_await self->client->send(std::move(message));
}

Task<Result<>> ModuleClient::State::send_until_acknowledged(std::shared_ptr<State> self, model::SharedMessage message) {
    if (!self->client) co_return fail(Errc::unreachable, "the module was not started: call start()");
    for (;;) {
        co_await self->client->wait_connected();
        if (self->closed) co_return fail(Errc::closed, "the module was closed before the hub acknowledged the message");
        const auto sent = co_await self->client->send(message);
        if (sent || sent.error().code == Errc::malformed) co_return sent;
    }
}

Task<Result<std::unique_ptr<ModuleClient>>> ModuleClient::from_environment(Platform platform,
                                                                           daemonapi::Environment environment) {
    auto connection = co_await connection_from_environment(platform, std::move(environment));
    if (!connection) co_return fail(connection.error());
    co_return std::make_unique<ModuleClient>(platform, std::move(*connection));
}

ModuleClient::ModuleClient(Platform platform, Connection connection)
    : state_(std::make_shared<State>(platform, std::move(connection))) {}

ModuleClient::~ModuleClient() { state_->closed = true; }

void ModuleClient::set_input_handler(std::string input, InputHandler handler) {
    state_->inputs[std::move(input)] = std::move(handler);
    state_->handler_added.notify();
}

void ModuleClient::set_method_handler(std::string method, MethodHandler handler) {
    state_->methods[std::move(method)] = std::move(handler);
}

void ModuleClient::set_desired_handler(DesiredHandler handler) { state_->desired.set_handler(std::move(handler)); }

void ModuleClient::start() {
    const auto& platform = state_->platform;
    auto& client =
        state_->client.emplace(state_->connection.options, state_->handlers(), state_->connection.credentials,
                               platform.network, platform.clock, platform.random, platform.executor);
    state_->desired.start(client);
    client.start();
}

Task<> ModuleClient::wait_connected() {
    const auto state = state_;
    if (state->client) co_await state->client->wait_connected();
}

Task<> ModuleClient::close() {
    const auto state = state_;
    state->closed = true;
    co_await state->desired.close();
    if (state->client) co_await state->client->close();
}

bool ModuleClient::connected() const { return state_->client && state_->client->connected(); }

const Error* ModuleClient::last_error() const { return state_->client ? state_->client->last_error() : nullptr; }

Task<Result<>> ModuleClient::send_event(std::string output, Message message, Retry retry) {
    auto made = to_model(std::move(output), std::move(message));
    return retry == Retry::no ? State::send_once(state_, std::move(made))
                              : State::send_until_acknowledged(state_, std::move(made));
}

Task<Result<boost::json::object>> ModuleClient::get_twin() {
    const auto state = state_;
    if (!state->client) co_return fail(Errc::unreachable, "the module was not started: call start()");
    co_return co_await state->client->get_twin();
}

Task<Result<>> ModuleClient::report(boost::json::object patch) {
    const auto state = state_;
    if (!state->client) co_return fail(Errc::unreachable, "the module was not started: call start()");
    co_return co_await state->client->report(std::move(patch));
}

}  // namespace skerry::sdk
