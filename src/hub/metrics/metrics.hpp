// What the hub counts (edge-hub.md 9.2), with the existing hub's names, types and labels, and a few of its own.
//
// Promises: counting a message costs a comparison of names and some additions: no lock, no allocation once its series
//           is there. Everything else happens when somebody asks for the text.
// Bounds:   1,000 series per family and 32 per client or queue; what is beyond is counted under the label "other".
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "hub/queue/queue_store.hpp"
#include "hub/sessions.hpp"
#include "metrics/exposition.hpp"
#include "metrics/process.hpp"
#include "metrics/series.hpp"

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::hub {

using metrics::Exposition;
using metrics::label_text;
using metrics::Labels;
using metrics::ProcessStatus;
using metrics::Series;
using metrics::Summary;

struct Timed {
    std::uint64_t count{0};
    Summary seconds;
};

// What one client sends; every session of it counts here.
class ReceivedFrom {
public:
    void received(const model::Message& message);
    void unrouted(const model::Message& message) { ++of(message).unrouted; }
    void not_stored() { ++unstored_; }

private:
    friend class Metrics;
    struct Output {
        std::string name;
        std::uint64_t received{0};
        std::uint64_t unrouted{0};
    };
    [[nodiscard]] Output& of(const model::Message& message);

    std::vector<Output> outputs_;
    std::size_t last_{0};
    std::uint64_t unstored_{0};
    Summary bytes_;
};

// What one queue's pump has delivered.
class SentTo {
public:
    // `took`: from the hand-over to the acknowledgement.
    void sent(const Delivery& delivery, Duration took);
    void refused() { ++refused_; }

private:
    friend class Metrics;
    struct Flow {
        std::string device;
        std::string module;
        std::string output;
        std::uint32_t priority{0};
        std::uint64_t sent{0};
        Summary seconds;
    };
    [[nodiscard]] Flow& of(const Delivery& delivery);

    std::vector<Flow> flows_;
    std::size_t last_{0};
    std::uint64_t refused_{0};
};

// What the cloud sends one device.
struct CloudToDeviceCounts {
    std::uint64_t received{0};
    std::uint64_t expired{0};
    Summary seconds;  // one for each that the device has acknowledged, from the hand-over
};

class Metrics final : public SessionObserver {
public:
    // `age`: how old what quantiles are made of may be.
    Metrics(Clock& clock, std::string common_labels, Duration age);

    // References stay valid. For the cloud `to` is "upstream", `input` is "", and each sender has its own queue.
    [[nodiscard]] ReceivedFrom& received_from(const model::Identity& client);
    [[nodiscard]] SentTo& sent_to(std::string_view to, std::string_view input, std::string_view sender = {});

    [[nodiscard]] CloudToDeviceCounts& cloud_to_device(const model::Identity& device) {
        return to_devices_[{device.id()}];
    }

    void upstream_acknowledged(SteadyTime now) { last_upstream_ack_ = now; }
    // `source` and `target`: "edge_hub" or "upstream".
    void twin_read(const model::Identity& client, std::string_view source, Duration took);
    void reported(const model::Identity& client, std::string_view target, Duration took);
    void method_called(std::string_view from, const model::Identity& to, Duration took);
    void retried(const model::Identity& client, std::string_view operation) { ++retries_[{client.id(), operation}]; }
    void not_authenticated(const model::Identity& claimed) { ++refused_[{claimed.id(), "not_authenticated"}]; }
    void dropped_with_queue(std::string_view endpoint, std::uint64_t messages) {
        dropped_queues_[{endpoint}] += messages;
    }
    void upstream_lost(const model::Identity& client);
    void upstream_back(const model::Identity& client);

    void session_opened(Session& session) override;
    void session_ended(Session& session) override;

    // Forgets what is too old; call it every few seconds.
    void tick();
    [[nodiscard]] std::string text(const QueueStore& queues, std::size_t connected,
                                   const std::optional<ProcessStatus>& process) const;

private:
    void write_received(Exposition& out) const;
    void write_sent(Exposition& out) const;
    void write_durations(Exposition& out) const;
    void write_dropped(Exposition& out, const std::vector<QueueStatus>& queues) const;
    void write_queues(Exposition& out, const std::vector<QueueStatus>& status) const;
    void write_store(Exposition& out, const QueueStore& queues) const;
    void write_clients(Exposition& out, std::size_t connected) const;
    void write_requests(Exposition& out) const;
    void turn();

    Clock& clock_;
    std::string common_labels_;
    Duration turn_every_;
    SteadyTime turned_;
    std::optional<SteadyTime> last_upstream_ack_;

    Series<ReceivedFrom, 1> received_;
    Series<SentTo, 3> sent_;
    Series<CloudToDeviceCounts, 1> to_devices_;
    Series<Timed, 2> twin_reads_;
    Series<Timed, 2> reports_;
    Series<Timed, 2> methods_;
    Series<std::uint64_t, 2> retries_;
    Series<std::uint64_t, 2> refused_;
    Series<std::uint64_t, 1> connects_;
    Series<std::uint64_t, 1> disconnects_;
    Series<std::uint64_t, 1> dropped_queues_;
    struct Offline {
        std::uint64_t count{0};
        Summary seconds;
        std::optional<SteadyTime> since;
    };
    Series<Offline, 1> offline_;
};

}  // namespace skerry::hub
