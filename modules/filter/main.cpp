// Passes on what is hotter than a threshold. Input: input1. Output: output1. Desired property: TemperatureThreshold
// (25 unless set). A message that passes keeps its id and gets the property MessageType=Alert.
//
// At least once: an input message is acknowledged when what became of it is settled: dropped, or its alert acknowledged.

#include "base/log.hpp"
#include "common/ledger.hpp"
#include "sdk/module_client.hpp"
#include "sdk/run_module.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <memory>
#include <optional>
#include <string>

namespace {

using namespace skerry;
namespace json = boost::json;

std::optional<double> machine_temperature(const std::string& body) {
    json::error_code failed;
    const auto value = json::parse(body, failed);
    const auto* object = failed ? nullptr : value.if_object();
    const auto* machine = object ? object->if_contains("machine") : nullptr;
    const auto* fields = machine ? machine->if_object() : nullptr;
    const auto* temperature = fields ? fields->if_contains("temperature") : nullptr;
    if (!temperature || !temperature->is_number()) return std::nullopt;
    return temperature->to_number<double>();
}

class Filter {
public:
    explicit Filter(Platform platform) : platform_(platform) {}

    Task<int> run(Event& stop);

private:
    Task<Result<>> on_input(sdk::Message message);
    Task<> apply(json::object desired);

    Platform platform_;
    samples::Ledger ledger_;
    std::unique_ptr<sdk::ModuleClient> client_;
    double threshold_{25};
};

Task<Result<>> Filter::on_input(sdk::Message message) {
    const auto temperature = machine_temperature(message.body);
    const auto id = message.message_id;
    if (!temperature) log::warn("message {} has no machine.temperature", id);
    if (!temperature || *temperature <= threshold_) {
        ledger_.note("dropped", id);
        co_return Result<>{};
    }
    message.properties.emplace_back("MessageType", "Alert");
    auto sent = co_await client_->send_event("output1", std::move(message), sdk::Retry::until_acknowledged);
    if (sent) ledger_.note("passed", id);
    co_return sent;
}

Task<> Filter::apply(json::object desired) {
    if (const auto* threshold = desired.if_contains("TemperatureThreshold"); threshold && threshold->is_number())
        threshold_ = threshold->to_number<double>();
    log::info("passing what is hotter than {} degrees", threshold_);
    co_return;
}

Task<int> Filter::run(Event& stop) {
    auto client = co_await sdk::ModuleClient::from_environment(platform_);
    if (!client) {
        log::fatal("{}", client.error().text);
        co_return 1;
    }
    client_ = std::move(*client);
    // Called only while the client lives, which this object owns.
    client_->set_desired_handler([this](json::object desired) { return apply(std::move(desired)); });
    client_->set_input_handler("input1", [this](sdk::Message message) { return on_input(std::move(message)); });
    client_->start();
    co_await stop.wait();
    co_await client_->close();
    co_return 0;
}

Task<int> run_filter(Platform platform, Event& stop) {
    Filter filter(platform);
    co_return co_await filter.run(stop);
}

}  // namespace

int main() { return sdk::run_module(run_filter); }
