#include "sdk/desired.hpp"

#include "base/log.hpp"
#include "model/twin.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <exception>

namespace skerry::sdk {

namespace {
constexpr std::chrono::seconds pause_after_failure{1};

std::int64_t version_of(const boost::json::object& properties) {
    const auto* version = properties.if_contains("$version");
    return version != nullptr && version->is_int64() ? version->get_int64() : 0;
}
}  // namespace

Desired::Desired(const Platform& platform)
    : clock_(platform.clock), wake_(platform.executor), tasks_(platform.executor) {}

void Desired::start(iothub::DeviceClient& client) {
    if (handler_) tasks_.spawn("desired properties", run(client));
}

void Desired::read_again() {
    must_read_ = true;
    wake_.notify();
}

void Desired::merge(const boost::json::object& patch) {
    const auto version = version_of(patch);
    if (!version_ || version > *version_ + 1) return read_again();
    if (version <= *version_) return;
    model::merge_patch(properties_, patch);
    version_ = version;
    wake_.notify();
}

Task<> Desired::read(iothub::DeviceClient& client) {
    must_read_ = false;
    const auto twin = co_await client.get_twin();
    const auto* desired = twin ? twin->if_contains("desired") : nullptr;
    if (desired != nullptr && desired->is_object()) {
        properties_ = desired->get_object();
        version_ = version_of(properties_);
        co_return;
    }
    if (!client.connected()) co_return;  // the next connect reads again
    log::warn("the twin can't be read: {}", twin ? "it has no desired properties" : twin.error().text);
    co_await clock_.sleep(pause_after_failure);
    must_read_ = true;
}

Task<> Desired::deliver() {
    delivered_ = version_;
    try {
        co_await handler_(properties_);
    } catch (const std::exception& thrown) {
        if (closing_) throw;
        log::error("the handler of the desired properties threw: {}", thrown.what());
    }
}

Task<> Desired::close() {
    closing_ = true;
    return tasks_.close();
}

Task<> Desired::run(iothub::DeviceClient& client) {
    for (;;) {
        if (must_read_) {
            co_await read(client);
        } else if (version_ && version_ != delivered_) {
            co_await deliver();
        } else {
            co_await wake_.wait();
        }
    }
}

}  // namespace skerry::sdk
