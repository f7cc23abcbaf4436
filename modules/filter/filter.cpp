#include "filter/filter.hpp"

#include "base/log.hpp"
#include "model/twin.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <cmath>
#include <memory>
#include <optional>
#include <utility>

namespace skerry::modules {

namespace json = boost::json;

namespace {
constexpr double default_threshold = 25;

struct Filter {
    sdk::ModuleClient& client;
    Ledger& ledger;
    double threshold{default_threshold};
};

std::optional<double> temperature_of(const std::string& body) {
    const auto reading = model::parse_object(body);
    if (!reading) return std::nullopt;
    const auto* machine = reading->if_contains("machine");
    if (machine == nullptr || !machine->is_object()) return std::nullopt;
    const auto* temperature = machine->get_object().if_contains("temperature");
    if (temperature == nullptr || !temperature->is_number()) return std::nullopt;
    boost::system::error_code wrong;
    const auto number = temperature->to_number<double>(wrong);
    if (wrong) return std::nullopt;
    return number;
}

Task<Result<>> take(std::shared_ptr<Filter> filter, sdk::Message message) {
    const auto id = message.message_id;
    const auto temperature = temperature_of(message.body);
    if (!temperature) log::warn("message '{}' is no reading and is dropped", id);
    if (!temperature || *temperature <= filter->threshold) {
        filter->ledger.add("dropped", id);
        co_return Result<>{};
    }
    message.properties.emplace_back("MessageType", "Alert");
    const auto sent = co_await filter->client.send_event("output1", std::move(message));
    if (sent) filter->ledger.add("passed", id);
    co_return sent;
}

Task<> configure(std::shared_ptr<Filter> filter, json::object desired) {
    filter->threshold = default_threshold;
    const auto* threshold = desired.if_contains("TemperatureThreshold");
    if (threshold == nullptr || threshold->is_null()) co_return;
    boost::system::error_code wrong;
    const auto number = threshold->to_number<double>(wrong);
    if (wrong || !std::isfinite(number))
        log::warn("the desired property TemperatureThreshold must be a number; it is {}", json::serialize(*threshold));
    else
        filter->threshold = number;
}
}  // namespace

Task<> run_filter(sdk::ModuleClient& client, Ledger& ledger, Event& stop) {
    const auto filter = std::make_shared<Filter>(client, ledger);
    client.set_input_handler("input1", [filter](sdk::Message message) { return take(filter, std::move(message)); });
    client.set_desired_handler([filter](json::object desired) { return configure(filter, std::move(desired)); });
    client.start();
    co_await stop.wait();
    co_await client.close();
}

}  // namespace skerry::modules
