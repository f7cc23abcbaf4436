#include "sensor/sensor.hpp"

#include "base/log.hpp"
#include "base/timeout.hpp"
#include "sensor/thermometer.hpp"

#include <fmt/core.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace skerry::modules {

using namespace std::chrono_literals;
namespace json = boost::json;

namespace {
constexpr std::size_t most_outstanding = 1000;
constexpr Duration longest_farewell = 5s;

// Desired properties; what is missing or makes no sense keeps its default.
struct Settings {
    Duration interval{5s};
    bool send_data{true};
    std::optional<std::uint64_t> count;  // nullopt: without end

    [[nodiscard]] static Settings of(const json::object& desired) {
        Settings settings;
        if (const auto* interval = desired.if_contains("SendInterval"))
            settings.interval = seconds(*interval, settings.interval);
        if (const auto* send = desired.if_contains("SendData"); send != nullptr && send->is_bool())
            settings.send_data = send->get_bool();
        if (const auto* count = desired.if_contains("MessageCount"); count != nullptr && count->is_int64())
            if (count->get_int64() >= 0) settings.count = static_cast<std::uint64_t>(count->get_int64());
        return settings;
    }

private:
    // A number, or text that is one.
    [[nodiscard]] static Duration seconds(const json::value& value, Duration fallback) {
        boost::system::error_code wrong;
        const auto number = value.to_number<double>(wrong);
        if (wrong || !std::isfinite(number) || number < 0 || number > 86400) {
            log::warn("the desired property SendInterval must be a number of seconds from 0 to 86400; it is {}",
                      json::serialize(value));
            return fallback;
        }
        return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(number));
    }
};

class Sensor : public std::enable_shared_from_this<Sensor> {
public:
    Sensor(Platform platform, sdk::ModuleClient& client, Ledger& ledger)
        : platform_(platform),
          client_(client),
          ledger_(ledger),
          thermometer_(platform.random),
          run_id_(platform.random.uuid()),
          changed_(platform.executor),
          room_(platform.executor) {}

    void configure(const json::object& desired) {
        settings_ = Settings::of(desired);
        changed_.notify();
    }
    void reset() { thermometer_.reset(); }

    [[nodiscard]] static Task<> sample(std::shared_ptr<Sensor> self, TaskScope& deliveries) {
        auto due = self->platform_.clock.steady();
        for (;;) {
            while (self->outstanding_ >= most_outstanding) co_await self->room_.wait();
            if (!self->may_sample()) {
                co_await self->changed_.wait();
                due = self->platform_.clock.steady();
                continue;
            }
            if (co_await self->pause_until(due)) continue;  // with the new settings
            ++self->outstanding_;
            deliveries.spawn("reading", deliver(self, self->next_message()));
            // After a wait for room, or a sleep of the machine, nothing is made up for.
            due = std::max(due + self->settings_.interval, self->platform_.clock.steady());
        }
    }

private:
    [[nodiscard]] bool may_sample() const {
        return settings_.send_data && (!settings_.count || sequence_ < *settings_.count);
    }

    static Task<Result<>> change(std::shared_ptr<Sensor> self) {
        co_await self->changed_.wait();
        co_return Result<>{};
    }

    // Whether the settings changed before `due`. The first reading after a change doesn't wait for an old, longer
    // interval.
    Task<bool> pause_until(SteadyTime& due) {
        const auto now = platform_.clock.steady();
        if (due <= now) co_return false;
        const auto changed = co_await with_timeout<void>(platform_.clock, due - now, change(shared_from_this()));
        if (changed) due = std::min(due, platform_.clock.steady() + settings_.interval);
        co_return changed.has_value();
    }

    [[nodiscard]] sdk::Message next_message() {
        const auto reading = thermometer_.next();
        const json::object body{
            {"machine", json::object{{"temperature", reading.temperature}, {"pressure", reading.pressure}}},
            {"ambient",
             json::object{{"temperature", reading.ambient_temperature}, {"humidity", reading.ambient_humidity}}},
            {"timeCreated", format_rfc3339(platform_.clock.wall(), 7)}};
        ++sequence_;
        sdk::Message message;
        message.body = json::serialize(body);
        message.message_id = fmt::format("{}-{}", run_id_, sequence_);
        message.content_type = "application/json";
        message.content_encoding = "utf-8";
        message.properties.emplace_back("sequenceNumber", std::to_string(sequence_));
        message.properties.emplace_back("batchId", run_id_);
        return message;
    }

    static Task<> deliver(std::shared_ptr<Sensor> self, sdk::Message message) {
        const auto id = message.message_id;
        const auto sent =
            co_await self->client_.send_event("temperatureOutput", std::move(message), sdk::Retry::until_acknowledged);
        --self->outstanding_;
        self->room_.notify();
        if (sent)
            self->ledger_.add("sent", id);
        else
            log::warn("reading {} was not sent: {}", id, sent.error().text);
    }

    Platform platform_;
    sdk::ModuleClient& client_;
    Ledger& ledger_;
    Thermometer thermometer_;
    std::string run_id_;
    Settings settings_;
    std::uint64_t sequence_{0};
    std::size_t outstanding_{0};
    Signal changed_;
    Signal room_;
};

Task<> configure(std::shared_ptr<Sensor> sensor, json::object desired) {
    sensor->configure(desired);
    co_return;
}

Task<sdk::MethodReply> reset(std::shared_ptr<Sensor> sensor) {
    sensor->reset();
    log::info("the temperature was reset");
    co_return sdk::MethodReply{200, "{}"};
}

Task<Result<>> idle(TaskScope& deliveries) {
    co_await deliveries.idle();
    co_return Result<>{};
}
}  // namespace

Task<> run_sensor(Platform platform, sdk::ModuleClient& client, Ledger& ledger, Event& stop) {
    const auto sensor = std::make_shared<Sensor>(platform, client, ledger);
    client.set_desired_handler([sensor](json::object desired) { return configure(sensor, std::move(desired)); });
    client.set_method_handler("reset", [sensor](const std::string&) { return reset(sensor); });
    client.start();

    TaskScope deliveries(platform.executor);
    TaskScope sampling(platform.executor);
    sampling.spawn("sampling", Sensor::sample(sensor, deliveries));
    co_await stop.wait();
    co_await sampling.close();
    if (!co_await with_timeout<void>(platform.clock, longest_farewell, idle(deliveries)))
        log::warn("{} readings were not acknowledged in time", deliveries.size());
    co_await client.close();
    co_await deliveries.close();
}

}  // namespace skerry::modules
