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

std::string labelled(Labels labels) { return label_text(labels).append(telemetry); }

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

}  // namespace

std::string Metrics::text(const QueueStore& queues, std::size_t connected) const {
    Exposition out(common_labels_);
    const auto status = queues.status();
    write_messages(out);
    write_dropped(out, status);
    write_queues(out, queues, status);
    write_requests(out);
    write_clients(out, connected);
    return out.take();
}

void Metrics::write_messages(Exposition& out) const {
    out.family("edgehub_messages_received_total", "counter", "Messages received from clients");
    for (const auto& [key, client] : received_.all())
        for (const auto& output : client.outputs_)
            out.sample(labelled({{"route_output", output.name}, {"id", key[0]}}), output.received);
    out.family("edgehub_message_size_bytes", "summary", "Size of messages received from clients");
    for (const auto& [key, client] : received_.all())
        if (client.bytes_.count() > 0) out.sample(labelled({{"id", key[0]}}), client.bytes_);

    out.family("edgehub_messages_sent_total", "counter", "Messages delivered and acknowledged");
    for (const auto& [key, queue] : sent_.all())
        for (const auto& flow : queue.flows_)
            out.sample(labelled({{"from", id_of(flow.device, flow.module)},
                                 {"to", key[0]},
                                 {"from_route_output", flow.output},
                                 {"to_route_input", key[1]},
                                 {"priority", std::to_string(flow.priority)}}),
                       flow.sent);
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
    std::map<std::string, std::uint64_t> expired;
    for (const auto& queue : queues) {
        const auto sender = upstream_sender(queue.endpoint);
        expired[sender ? sender->id() : ""] += queue.expired;
    }
    for (const auto& [from, count] : expired) dropped("ttl_expiry", from, "", count);
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

void Metrics::write_queues(Exposition& out, const QueueStore& queues, const std::vector<QueueStatus>& status) const {
    std::map<std::pair<std::string_view, std::uint32_t>, std::uint64_t> lengths;
    for (const auto& queue : status) lengths[{endpoint_label(queue.endpoint), queue.priority}] += queue.length;
    out.family("edgehub_queue_length", "gauge", "Messages that wait for delivery");
    for (const auto& [key, length] : lengths)
        out.sample(labelled({{"endpoint", key.first}, {"priority", std::to_string(key.second)}}), length);

    out.family("skerry_hub_sender_queue_length", "gauge", "Messages of one sender that wait for the cloud");
    for (const auto& queue : status)
        if (const auto sender = upstream_sender(queue.endpoint))
            out.sample(label_text({{"id", sender->id()}, {"priority", std::to_string(queue.priority)}}), queue.length);
    out.family("skerry_hub_queue_bytes_on_disk", "gauge", "Size of the message store");
    out.sample("", queues.bytes_on_disk());
    out.family("skerry_hub_seconds_since_upstream_ack", "gauge", "Since the cloud last took a message; absent before");
    if (last_upstream_ack_)
        out.sample("", std::chrono::duration<double>(clock_.steady() - *last_upstream_ack_).count());
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
