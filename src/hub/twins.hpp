// The twins of the clients (and of the hub itself): the cloud's when it is there, the last known when it is not.
//
// Promises: a reported patch is on disk before it is acknowledged, and reaches the cloud sooner or later, merged with
//           what came after it; one client's failing patch delays no other. A desired patch is handed on in the order
//           of its versions; a gap is filled with the whole twin and the difference is handed on instead. What a
//           replaced section names no more is found by reading the twin, and handed on as null.
// Bounds:   one document per identity (IoT Hub's own limits apply: 32 KB per half); in memory only for clients that
//           were heard of since their last session ended, or have something to report.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/task_scope.hpp"
#include "hub/cloud_link.hpp"
#include "hub/state_store.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

namespace skerry::hub {

class Metrics;

class Twins {
public:
    Twins(StateStore& store, CloudLink& link, Metrics& metrics, Clock& clock, Random& random, Executor executor,
          Duration sync_pause);
    ~Twins();

    // Reads what is on disk and goes on reporting what had not reached the cloud.
    [[nodiscard]] Task<> load();
    [[nodiscard]] Task<> close();

    // {"desired":{…},"reported":{…}}; both empty for a twin never heard of.
    [[nodiscard]] Task<Result<boost::json::object>> get(model::Identity identity);
    // As last known; nullptr: never heard of.
    [[nodiscard]] const boost::json::object* desired_of(const model::Identity& identity) const;
    [[nodiscard]] const boost::json::object* reported_of(const model::Identity& identity) const;

    // Keeps the patch and reports it to the cloud as soon as possible. Errc::malformed: breaks a rule
    // (edge-hub.md 6.4).
    [[nodiscard]] Task<Result<>> report(model::Identity identity, boost::json::object patch);

    // From the cloud: a patch; or the connection came back and patches may have been missed.
    [[nodiscard]] Task<> desired_arrived(model::Identity identity, boost::json::object patch);
    // False: the cloud did not say; the twin is as it was.
    [[nodiscard]] Task<bool> resync(model::Identity identity);

    // Where desired patches go; their $version is in the patch and beside it.
    using Forward = std::function<void(const model::Identity&, const boost::json::object& patch, std::int64_t version)>;
    void on_desired(Forward forward) { forward_ = std::move(forward); }

    // The client has gone: its twin need not stay in memory.
    void release(const model::Identity& identity);

    [[nodiscard]] WallTime now() const { return clock_.wall(); }

private:
    struct Entry;
    using SharedEntry = std::shared_ptr<Entry>;

    static void read_into(Entry& entry, boost::json::object& document);
    [[nodiscard]] Task<SharedEntry> entry_of(model::Identity identity);
    [[nodiscard]] Task<Result<>> fetch(model::Identity identity, SharedEntry entry);
    [[nodiscard]] Task<Result<>> save(model::Identity identity, SharedEntry entry);
    [[nodiscard]] Task<bool> fill_gap(model::Identity identity, SharedEntry entry);
    [[nodiscard]] Task<> sync(model::Identity identity, SharedEntry entry);
    void start_sync(const model::Identity& identity, const SharedEntry& entry);
    void forward(const model::Identity& identity, const boost::json::object& patch) const;

    StateStore& store_;
    CloudLink& link_;
    Metrics& metrics_;
    Clock& clock_;
    Random& random_;
    Executor executor_;
    Duration sync_pause_;
    Forward forward_;
    std::map<model::Identity, SharedEntry> entries_;
    TaskScope tasks_;
};

}  // namespace skerry::hub
