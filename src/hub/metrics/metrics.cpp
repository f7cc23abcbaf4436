// Counting. What is written of it, and how, is in metrics_text.cpp.
#include "hub/metrics/metrics.hpp"

namespace skerry::hub {

namespace {
constexpr std::size_t most_of_one = 32;
constexpr std::string_view others = "(others)";

std::string_view output_of(const model::Message& message) {
    return message.system_property("outputName").value_or(std::string_view());
}
double seconds(Duration took) { return std::chrono::duration<double>(took).count(); }

void add(Timed& timed, Duration took) {
    ++timed.count;
    timed.seconds.observe(seconds(took));
}
}  // namespace

ReceivedFrom::Output& ReceivedFrom::of(const model::Message& message) {
    const auto output = output_of(message);
    if (last_ < outputs_.size() && outputs_[last_].name == output) return outputs_[last_];
    for (last_ = 0; last_ < outputs_.size(); ++last_)
        if (outputs_[last_].name == output) return outputs_[last_];
    if (outputs_.size() < most_of_one) return outputs_.emplace_back(std::string(output));
    last_ = most_of_one - 1;
    outputs_[last_].name = others;
    return outputs_[last_];
}

void ReceivedFrom::received(const model::Message& message) {
    ++of(message).received;
    bytes_.observe(static_cast<double>(message.size()));
}

SentTo::Flow& SentTo::of(const Delivery& delivery) {
    const auto& message = *delivery.message;
    const auto device = message.system_property("connectionDeviceId").value_or(std::string_view());
    const auto module = message.system_property("connectionModuleId").value_or(std::string_view());
    const auto output = output_of(message);
    const auto is_it = [&](const Flow& flow) {
        return flow.module == module && flow.output == output && flow.priority == delivery.priority &&
               flow.device == device;
    };
    if (last_ < flows_.size() && is_it(flows_[last_])) return flows_[last_];
    for (last_ = 0; last_ < flows_.size(); ++last_)
        if (is_it(flows_[last_])) return flows_[last_];
    if (flows_.size() < most_of_one)
        return flows_.emplace_back(std::string(device), std::string(module), std::string(output), delivery.priority);
    last_ = most_of_one - 1;
    auto& rest = flows_[last_];
    rest.device = rest.output = others;
    rest.module.clear();
    return rest;
}

void SentTo::sent(const Delivery& delivery, Duration took) {
    auto& flow = of(delivery);
    ++flow.sent;
    flow.seconds.observe(seconds(took));
}

Metrics::Metrics(Clock& clock, std::string common_labels, Duration age)
    : clock_(clock), common_labels_(std::move(common_labels)), turn_every_(age / 2), turned_(clock.steady()) {}

ReceivedFrom& Metrics::received_from(const model::Identity& client) { return received_[{client.id()}]; }

SentTo& Metrics::sent_to(std::string_view to, std::string_view input, std::string_view sender) {
    return sent_[{to, input, sender}];
}

void Metrics::twin_read(const model::Identity& client, std::string_view source, Duration took) {
    add(twin_reads_[{source, client.id()}], took);
}

void Metrics::reported(const model::Identity& client, std::string_view target, Duration took) {
    add(reports_[{target, client.id()}], took);
}

void Metrics::method_called(std::string_view from, const model::Identity& to, Duration took) {
    add(methods_[{from, to.id()}], took);
}

void Metrics::upstream_lost(const model::Identity& client) {
    auto& offline = offline_[{client.id()}];
    if (offline.since) return;
    offline.since = clock_.steady();
    ++offline.count;
}

void Metrics::upstream_back(const model::Identity& client) {
    const auto found = offline_.all().find({client.id()});
    if (found == offline_.all().end() || !found->second.since) return;
    found->second.seconds.observe(seconds(clock_.steady() - *found->second.since));
    found->second.since.reset();
}

void Metrics::session_opened(Session& session) { ++connects_[{session.identity().id()}]; }

void Metrics::session_ended(Session& session) { ++disconnects_[{session.identity().id()}]; }

void Metrics::tick() {
    const auto now = clock_.steady();
    if (now - turned_ < turn_every_) return;
    turned_ = now;
    turn();
}

void Metrics::turn() {
    for (auto& [labels, client] : received_.all()) client.bytes_.turn();
    for (auto& [labels, queue] : sent_.all())
        for (auto& flow : queue.flows_) flow.seconds.turn();
    for (auto& [labels, device] : to_devices_.all()) device.seconds.turn();
    for (auto* const timed : {&twin_reads_, &reports_, &methods_})
        for (auto& [labels, each] : timed->all()) each.seconds.turn();
    for (auto& [labels, each] : offline_.all()) each.seconds.turn();
}

}  // namespace skerry::hub
