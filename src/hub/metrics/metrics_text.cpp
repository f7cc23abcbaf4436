// The text that Prometheus reads: families in the order of edge-hub.md 9.2, then what is new here.
#include "hub/endpoints.hpp"
#include "hub/metrics/metrics.hpp"

#include <fmt/format.h>

namespace skerry::hub {

namespace {

std::string id_of(std::string_view device, std::string_view module) {
    return module.empty() ? std::string(device) : fmt::format("{}/{}", device, module);
}

// What the existing hub counts carries this label for its metrics collector.
constexpr std::string_view telemetry = R"(,ms_telemetry="True")";
constexpr std::string_view upstream = "upstream";

std::string labelled(Labels labels) { return label_text(labels).append(telemetry); }

std::string sent_labels(std::string_view from, std::string_view output, std::string_view to, std::string_view input,
                        std::uint32_t priority) {
    return labelled({{"from", from},
                     {"to", to},
                     {"from_route_output", output},
                     {"to_route_input", input},
                     {"priority", std::to_string(priority)}});
}

// The existing hub has one queue for everything upstream, under this name.
std::string_view endpoint_label(std::string_view endpoint) {
    return is_upstream(endpoint) ? std::string_view("iothub") : endpoint;
}

void write_timed(Exposition& out, std::string_view counter, std::string_view summary, std::string_view what,
                 const Series<Timed, 2>& series, std::array<std::string_view, 2> names) {
    out.family(counter, "counter", what);
    for (const auto& [key, timed] : series.all())
        out.sample(labelled({{names[0], key[0]}, {names[1], key[1]}}), timed.count);
    out.family(summary, "summary", fmt::format("{}: how long it took", what));
    for (const auto& [key, timed] : series.all())
        out.sample(labelled({{names[0], key[0]}, {names[1], key[1]}}), timed.seconds);
}

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

std::string Metrics::text(const QueueStore& queues, std::size_t connected,
                          const std::optional<ProcessStatus>& process) const {
    Exposition out(common_labels_);
    const auto status = queues.status();
    write_received(out);
    write_sent(out);
    write_dropped(out, status);
    write_requests(out);
    write_clients(out, connected);
    write_queues(out, status);
    write_store(out, queues);
    if (process) write_process(out, *process);
    return out.take();
}

void Metrics::write_received(Exposition& out) const {
    out.family("edgehub_messages_received_total", "counter", "Messages received from clients");
    for (const auto& [key, client] : received_.all())
        for (const auto& output : client.outputs_)
            out.sample(labelled({{"route_output", output.name}, {"id", key[0]}}), output.received);
    std::uint64_t from_cloud = 0;
    for (const auto& [key, device] : to_devices_.all()) from_cloud += device.received;
    if (from_cloud > 0) out.sample(labelled({{"route_output", ""}, {"id", upstream}}), from_cloud);
    out.family("edgehub_message_size_bytes", "summary", "Size of messages received from clients");
    for (const auto& [key, client] : received_.all())
        if (client.bytes_.count() > 0) out.sample(labelled({{"id", key[0]}}), client.bytes_);
}

void Metrics::write_sent(Exposition& out) const {
    out.family("edgehub_messages_sent_total", "counter", "Messages delivered and acknowledged");
    for (const auto& [key, queue] : sent_.all())
        for (const auto& flow : queue.flows_)
            out.sample(sent_labels(id_of(flow.device, flow.module), flow.output, key[0], key[1], flow.priority),
                       flow.sent);
    for (const auto& [key, device] : to_devices_.all())
        out.sample(sent_labels(upstream, "", key[0], "", default_priority), device.seconds.count());
    write_durations(out);
}

// Two families from one measurement, each without some labels of a flow: what they leave out is added up.
void Metrics::write_durations(Exposition& out) const {
    std::map<std::string, Summary> sending;
    std::map<std::string, Summary> processing;
    for (const auto& [key, queue] : sent_.all()) {
        for (const auto& flow : queue.flows_) {
            const auto from = id_of(flow.device, flow.module);
            sending
                [labelled(
                     {{"from", from}, {"to", key[0]}, {"from_route_output", flow.output}, {"to_route_input", key[1]}})]
                    .add(flow.seconds);
            processing[labelled({{"from", from}, {"to", key[0]}, {"priority", std::to_string(flow.priority)}})].add(
                flow.seconds);
        }
    }
    for (const auto& [key, device] : to_devices_.all()) {
        sending[labelled({{"from", upstream}, {"to", key[0]}, {"from_route_output", ""}, {"to_route_input", ""}})].add(
            device.seconds);
        processing[labelled({{"from", upstream}, {"to", key[0]}, {"priority", std::to_string(default_priority)}})].add(
            device.seconds);
    }
    out.family("edgehub_message_send_duration_seconds", "summary", "From the hand-over to the acknowledgement");
    for (const auto& [labels, seconds] : sending) out.sample(labels, seconds);
    out.family("edgehub_message_process_duration_seconds", "summary", "From the queue's end to the acknowledgement");
    for (const auto& [labels, seconds] : processing) out.sample(labels, seconds);
}

void Metrics::write_dropped(Exposition& out, const std::vector<QueueStatus>& queues) const {
    const auto dropped = [&out](std::string_view reason, std::string_view from, std::string_view output,
                                std::uint64_t count) {
        if (count > 0) out.sample(labelled({{"reason", reason}, {"from", from}, {"from_route_output", output}}), count);
    };
    out.family("edgehub_messages_dropped_total", "counter", "Messages that reached nobody, by reason");
    for (const auto& [key, client] : received_.all())
        for (const auto& output : client.outputs_) dropped("no_route", key[0], output.name, output.unrouted);
    struct GivenUp {
        std::uint64_t expired{0};
        std::uint64_t aged{0};
        std::uint64_t dropped{0};
    };
    std::map<std::string, GivenUp> given_up;  // by sender, where a queue has only one
    for (const auto& queue : queues) {
        if (queue.given_up() == 0) continue;
        const auto sender = upstream_sender(queue.endpoint);
        auto& counts = given_up[sender ? sender->id() : ""];
        counts.expired += queue.expired;
        counts.aged += queue.aged;
        counts.dropped += queue.dropped;
    }
    for (const auto& [key, device] : to_devices_.all())
        if (device.expired > 0) given_up[std::string(upstream)].expired += device.expired;
    for (const auto& [from, counts] : given_up) {
        dropped("ttl_expiry", from, "", counts.expired);
        dropped("max_age", from, "", counts.aged);
        dropped("store_full", from, "", counts.dropped);
    }
    std::uint64_t refused = 0;
    for (const auto& [key, queue] : sent_.all()) refused += queue.refused_;
    dropped("refused_upstream", "", "", refused);
    std::uint64_t without_route = 0;
    for (const auto& [key, count] : dropped_queues_.all()) without_route += count;
    dropped("route_removed", "", "", without_route);

    out.family("edgehub_messages_unack_total", "counter", "Messages not acknowledged to their senders, by reason");
    for (const auto& [key, client] : received_.all())
        if (client.unstored_ > 0)
            out.sample(labelled({{"reason", "storage_failure"}, {"from", key[0]}, {"from_route_output", ""}}),
                       client.unstored_);
}

void Metrics::write_queues(Exposition& out, const std::vector<QueueStatus>& status) const {
    struct Total {
        std::uint64_t length{0};
        std::optional<Duration> oldest;
    };
    std::map<std::pair<std::string_view, std::uint32_t>, Total> totals;
    for (const auto& queue : status) {
        if (!queue.in_use) continue;
        auto& total = totals[{endpoint_label(queue.endpoint), queue.priority}];
        total.length += queue.length;
        total.oldest = std::max(total.oldest, queue.oldest);  // any is more than none
    }
    const auto labels = [](const auto& key) {
        return label_text({{"endpoint", key.first}, {"priority", std::to_string(key.second)}});
    };
    out.family("edgehub_queue_length", "gauge", "Messages that wait for delivery");
    for (const auto& [key, total] : totals) out.sample(labels(key).append(telemetry), total.length);
    out.family("skerry_hub_queue_oldest_message_age_seconds", "gauge",
               "How long the first message has waited; 0 in an empty queue");
    for (const auto& [key, total] : totals)
        if (total.oldest || total.length == 0) out.sample(labels(key), seconds_of(total.oldest.value_or(Duration(0))));

    out.family("skerry_hub_sender_queue_length", "gauge", "Messages of one sender that wait for the cloud");
    const auto write_senders = [&](auto write) {
        for (const auto& queue : status) {
            const auto sender = queue.in_use ? upstream_sender(queue.endpoint) : std::nullopt;
            if (sender) write(label_text({{"id", sender->id()}, {"priority", std::to_string(queue.priority)}}), queue);
        }
    };
    write_senders([&](const std::string& of, const QueueStatus& queue) { out.sample(of, queue.length); });
    out.family("skerry_hub_sender_queue_oldest_message_age_seconds", "gauge",
               "How long the first message of one sender has waited for the cloud");
    write_senders([&](const std::string& of, const QueueStatus& queue) {
        if (queue.oldest || queue.length == 0) out.sample(of, seconds_of(queue.oldest.value_or(Duration(0))));
    });
    out.family("skerry_hub_seconds_since_upstream_ack", "gauge", "Since the cloud last took a message; absent before");
    if (last_upstream_ack_) out.sample("", seconds_of(clock_.steady() - *last_upstream_ack_));
}

void Metrics::write_store(Exposition& out, const QueueStore& queues) const {
    const auto& figures = queues.figures();
    out.family("skerry_hub_queue_bytes_on_disk", "gauge", "Size of the message store");
    out.sample("", queues.bytes_on_disk());
    out.family("skerry_hub_store_group_records", "histogram", "Records that one sync made durable together");
    out.sample("", figures.group_records);
    out.family("skerry_hub_store_sync_duration_seconds", "histogram", "How long it took to make a group durable");
    out.sample("", figures.sync_seconds);
    out.family("skerry_hub_store_synced_bytes_total", "counter", "Bytes that were made durable");
    out.sample("", figures.synced_bytes);
    out.family("skerry_hub_store_failures_total", "counter", "How often the disk refused to store something");
    out.sample("", figures.failures);
}

void Metrics::write_requests(Exposition& out) const {
    write_timed(out, "edgehub_gettwin_total", "edgehub_gettwin_duration_seconds", "Twins read", twin_reads_,
                {"source", "id"});
    write_timed(out, "edgehub_reported_properties_total", "edgehub_reported_properties_update_duration_seconds",
                "Reported properties taken", reports_, {"target", "id"});
    write_timed(out, "edgehub_direct_methods_total", "edgehub_direct_method_duration_seconds", "Direct methods called",
                methods_, {"from", "to"});
    out.family("edgehub_operation_retry_total", "counter", "Operations towards the cloud that were tried again");
    for (const auto& [key, count] : retries_.all())
        out.sample(labelled({{"id", key[0]}, {"operation", key[1]}}), count);
}

void Metrics::write_clients(Exposition& out, std::size_t connected) const {
    out.family("edgehub_offline_count_total", "counter", "How often the way to the cloud was lost");
    for (const auto& [key, offline] : offline_.all()) out.sample(labelled({{"id", key[0]}}), offline.count);
    out.family("edgehub_offline_duration_seconds", "summary", "How long the way to the cloud was lost");
    for (const auto& [key, offline] : offline_.all()) out.sample(labelled({{"id", key[0]}}), offline.seconds);

    out.family("edgehub_client_connect_success_total", "counter", "Connections of clients");
    for (const auto& [key, count] : connects_.all()) out.sample(labelled({{"id", key[0]}}), count);
    out.family("edgehub_client_connect_failed_total", "counter", "Connections that were refused");
    for (const auto& [key, count] : refused_.all()) out.sample(labelled({{"id", key[0]}, {"reason", key[1]}}), count);
    out.family("edgehub_client_disconnect_total", "counter", "Ends of connections of clients");
    for (const auto& [key, count] : disconnects_.all()) out.sample(labelled({{"id", key[0]}}), count);
    out.family("edgehub_connected_clients", "gauge", "Clients that are connected");
    out.sample(telemetry.substr(1), static_cast<std::uint64_t>(connected));
}

}  // namespace skerry::hub
