// The identities that may connect here: the device's scope, as the cloud last told it, on disk for days without
// network.
//
// Promises: what was known at the last run is known at start. A full refresh replaces everything: removed identities
//           are gone, and whoever watches is told. Asking the cloud about one identity happens at most once per id
//           and delay.
// Bounds:   20,000 identities; of questions those of Questions; five edge devices above each other.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"
#include "hub/cloud_link.hpp"
#include "hub/questions.hpp"
#include "hub/state_store.hpp"

#include <functional>
#include <map>
#include <set>
#include <vector>

namespace skerry::hub {

class Scope {
public:
    struct Options {
        Duration refresh{std::chrono::hours(1)};
        Duration retry{std::chrono::minutes(1)};      // until a refresh has succeeded
        Duration ask_again{std::chrono::minutes(1)};  // per id
        std::string own_device{};                     // whose scope this is
    };
    Scope(StateStore& store, Clock& clock, Executor executor, Options options);

    [[nodiscard]] Task<Result<>> load();
    // nullptr: not in the scope, as far as we know. Valid until the next co_await.
    [[nodiscard]] const iothub::ScopeIdentity* find(const model::Identity& identity) const;
    [[nodiscard]] std::size_t size() const { return identities_.size(); }
    // Who is above `identity`, up to this device: "edge3/m", "edge3", "edge2", "edge1". Empty when one of them is
    // unknown or a disabled edge device, or when they are too many.
    [[nodiscard]] std::vector<std::string> chain_of(const model::Identity& identity) const;

    // What the cloud says of an edge device: itself with its modules, and its children, those that are no edge devices
    // with theirs; a page of at most `most` devices, and 500 identities or so, from the id after `after` on. Valid
    // until the next co_await.
    struct Page {
        std::vector<const iothub::ScopeIdentity*> devices;
        std::vector<const iothub::ScopeIdentity*> modules;
        std::string next;  // where the next page goes on; empty: there is none
    };
    // Whether all that is below `edge` is known: not when it was asked about alone, and no full refresh came since.
    [[nodiscard]] bool is_whole(const iothub::ScopeIdentity& edge) const { return !partly_.contains(edge.identity); }
    [[nodiscard]] Page below(const iothub::ScopeIdentity& edge, std::string_view after, std::size_t most) const;

    // Called for every identity that is new, was changed or has gone.
    void on_changed(std::function<void(const model::Identity&)> tell) { changed_ = std::move(tell); }

    struct Question {
        std::string above{};  // the edge device that brought it, when that is not this one: counts for strangers
        bool at_once{false};  // even if it was asked lately: the cloud has said that something changed
    };
    // Asks the cloud about `identity`, unless that was done lately. True when an answer came in.
    [[nodiscard]] Task<bool> ask_about(model::Identity identity, CloudLink& link, Question question);
    // Refreshes everything now and then; `refresh_soon` shortens the wait.
    [[nodiscard]] Task<> keep_fresh(CloudLink& link);
    void refresh_soon();

    [[nodiscard]] Task<Result<>> refresh(CloudLink& link);

private:
    void put(iothub::ScopeIdentity identity);
    void drop(const model::Identity& identity);
    [[nodiscard]] const iothub::ScopeIdentity* edge_above(const iothub::ScopeIdentity& device) const;
    [[nodiscard]] std::vector<std::string> chain_to_ask_by(const model::Identity& identity,
                                                           const std::string& brought_by) const;
    [[nodiscard]] Task<> save_one(model::Identity identity);

    StateStore& store_;
    Clock& clock_;
    Executor executor_;
    Options options_;
    std::map<model::Identity, iothub::ScopeIdentity> identities_;
    std::set<model::Identity> partly_;  // edge devices that are known from a question only
    Questions questions_;
    Event due_;
    std::function<void(const model::Identity&)> changed_;
};

}  // namespace skerry::hub
