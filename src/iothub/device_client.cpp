#include "iothub/device_client.hpp"

#include "iothub/client/core.hpp"
#include "model/twin.hpp"

#include <boost/json/serialize.hpp>

#include <utility>

namespace skerry::iothub {

namespace {
Task<Result<boost::json::object>> parse_answer(Task<Result<std::string>> request) {
    const auto body = co_await std::move(request);
    if (!body) co_return fail(body.error());
    auto twin = model::parse_object(*body);
    if (!twin) co_return fail(twin.error().while_doing("reading the twin"));
    co_return std::move(*twin);
}

Task<Result<>> ignore_answer(Task<Result<std::string>> request) {
    const auto body = co_await std::move(request);
    if (!body) co_return fail(body.error());
    co_return Result<>{};
}
}  // namespace

DeviceClient::DeviceClient(DeviceClientOptions options, DeviceClientHandlers handlers,
                           std::shared_ptr<Credentials> credentials, net::Network& network, Clock& clock,
                           Random& random, Executor executor)
    : core_(std::make_shared<ClientCore>(std::move(options), std::move(handlers), std::move(credentials), network,
                                         clock, random, std::move(executor))) {}

DeviceClient::~DeviceClient() { core_->cancel(); }

void DeviceClient::start() { core_->start(); }
void DeviceClient::take_commands(bool wanted) { core_->take_commands(wanted); }
Task<> DeviceClient::close() { return ClientCore::close(core_); }
bool DeviceClient::connected() const { return core_->connected(); }
Task<> DeviceClient::wait_connected() { return ClientCore::wait_connected(core_); }
Task<> DeviceClient::wait_attempt() { return ClientCore::wait_attempt(core_); }
const Error* DeviceClient::last_error() const { return core_->last_error(); }

Task<Result<>> DeviceClient::send(model::SharedMessage message) { return ClientCore::send(core_, std::move(message)); }

Task<Result<boost::json::object>> DeviceClient::get_twin() {
    return parse_answer(ClientCore::ask_twin(core_, &twin_get_topic, {}));
}

Task<Result<>> DeviceClient::report(boost::json::object patch) {
    return ignore_answer(ClientCore::ask_twin(core_, &twin_report_topic, boost::json::serialize(patch)));
}

}  // namespace skerry::iothub
