// A simulated temperature sensor. Output: temperatureOutput. Desired properties: SendInterval (seconds, fractions too),
// SendData (bool), MessageCount (0: no end). Direct method: reset (back to the start of the curve).
//
// At least once: a reading keeps its id and is sent again until the hub has acknowledged it; readings that are not
// acknowledged yet are bounded, then sampling waits.

#include "base/log.hpp"
#include "base/task_scope.hpp"
#include "base/timeout.hpp"
#include "common/ledger.hpp"
#include "sdk/module_client.hpp"
#include "sdk/run_module.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace {

using namespace skerry;
namespace json = boost::json;

constexpr std::size_t most_unacknowledged = 1000;
constexpr auto last_acks = std::chrono::seconds(5);

double rounded(double value) { return std::round(value * 100) / 100; }

class Sensor {
public:
    explicit Sensor(Platform platform)
        : platform_(platform),
          ids_(platform.random.uuid()),
          sends_(platform.executor),
          work_(platform.executor),
          changed_(platform.executor) {}

    Task<int> run(Event& stop);

private:
    Task<> sample();
    Task<> send(std::string id, std::string body);
    Task<> apply(json::object desired);
    Task<sdk::MethodReply> reset(std::string payload);
    std::string reading();

    Platform platform_;
    samples::Ledger ledger_;
    std::string ids_;
    std::unique_ptr<sdk::ModuleClient> client_;
    TaskScope sends_;
    TaskScope work_;
    Signal changed_;  // settings, or room for another reading
    Duration interval_{std::chrono::seconds(5)};
    bool send_data_{true};
    std::uint64_t message_count_{0};
    std::uint64_t sampled_{0};
    std::uint64_t on_curve_{0};
};

// The well-known message. The machine swings between 20 and 30 degrees, forty readings a swing.
std::string Sensor::reading() {
    const double phase = 2 * std::numbers::pi * static_cast<double>(on_curve_++ % 40) / 40;
    const double temperature = 25 + 5 * std::sin(phase);
    const json::object body{{"machine", {{"temperature", rounded(temperature)},
                                         {"pressure", rounded(1 + (temperature - 20) * 9 / 10)}}},
                            {"ambient", {{"temperature", 21.0}, {"humidity", 25}}},
                            {"timeCreated", format_rfc3339(platform_.clock.wall(), 7)}};
    return json::serialize(body);
}

Task<> Sensor::send(std::string id, std::string body) {
    sdk::Message message{.body = std::move(body),
                         .message_id = id,
                         .content_type = "application/json",
                         .content_encoding = "utf-8"};
    const auto sent =
        co_await client_->send_event("temperatureOutput", std::move(message), sdk::Retry::until_acknowledged);
    if (sent)
        ledger_.note("sent", id);
    else
        log::error("message {} was not sent: {}", id, sent.error().text);
    changed_.notify();
}

Task<> Sensor::sample() {
    auto next = platform_.clock.steady();
    for (;;) {
        const bool done = message_count_ > 0 && sampled_ >= message_count_;
        if (!send_data_ || done || sends_.size() >= most_unacknowledged) {
            co_await changed_.wait();
            next = platform_.clock.steady();
            continue;
        }
        auto id = ids_ + '-' + std::to_string(++sampled_);
        sends_.spawn("send " + id, send(id, reading()));
        next = std::max(next + interval_, platform_.clock.steady());
        co_await platform_.clock.sleep_until(next);
    }
}

Task<> Sensor::apply(json::object desired) {
    if (const auto* interval = desired.if_contains("SendInterval"); interval && interval->is_number()) {
        const std::chrono::duration<double> seconds(std::clamp(interval->to_number<double>(), 0.0001, 86400.0));
        interval_ = std::chrono::duration_cast<Duration>(seconds);
    }
    if (const auto* send_data = desired.if_contains("SendData"); send_data && send_data->is_bool())
        send_data_ = send_data->get_bool();
    if (const auto* count = desired.if_contains("MessageCount"); count && count->is_int64())
        message_count_ = static_cast<std::uint64_t>(std::max<std::int64_t>(0, count->get_int64()));
    log::info("interval {} ms, sending {}", interval_ / std::chrono::milliseconds(1), send_data_);
    changed_.notify();
    co_return;
}

Task<sdk::MethodReply> Sensor::reset(std::string) {
    on_curve_ = 0;
    co_return sdk::MethodReply{.status = 200, .payload = "{}"};
}

Task<Result<>> all_done(TaskScope& scope) {
    co_await scope.idle();
    co_return Result<>{};
}

Task<int> Sensor::run(Event& stop) {
    auto client = co_await sdk::ModuleClient::from_environment(platform_);
    if (!client) {
        log::fatal("{}", client.error().text);
        co_return 1;
    }
    client_ = std::move(*client);
    // Called only while the client lives, which this object owns.
    client_->set_desired_handler([this](json::object desired) { return apply(std::move(desired)); });
    client_->set_method_handler("reset", [this](std::string payload) { return reset(std::move(payload)); });
    client_->start();
    work_.spawn("sample", sample());
    co_await stop.wait();
    co_await work_.close();

    const auto acknowledged = co_await with_timeout<void>(platform_.clock, last_acks, all_done(sends_));
    if (!acknowledged) log::warn("{} messages are not acknowledged", sends_.size());
    co_await sends_.close();
    co_await client_->close();
    co_return 0;
}

Task<int> run_sensor(Platform platform, Event& stop) {
    Sensor sensor(platform);
    co_return co_await sensor.run(stop);
}

}  // namespace

int main() { return sdk::run_module(run_sensor); }
