// The hub itself, whatever protocol its clients speak: the stores, the log and the live connections as one. A change
// that concerns a connected device reaches it from here.
//
// Threads: the loop's; the stores are used on the worker only.
#pragma once

#include "base/worker.hpp"
#include "cloud/connections.hpp"
#include "cloud/events/event_log.hpp"
#include "cloud/stores.hpp"

#include <string>
#include <utility>
#include <vector>

namespace skerry::cloud {

class Hub {
public:
    // All outlive the hub. `host` is its first name.
    Hub(std::string host, Stores& stores, Worker& worker, EventLog& events, Connections& connections)
        : host_(std::move(host)), stores_(stores), worker_(worker), events_(events), connections_(connections) {}

    // Runs `question(Stores&)` on the worker. Await the call in the same expression: it may refer to locals.
    template <class F>
    [[nodiscard]] auto ask(F question) -> Task<decltype(question(std::declval<Stores&>()))> {
        co_return co_await worker_.run([&] { return question(stores_); });
    }

    [[nodiscard]] Task<Outcome<Registration>> put(model::Identity identity, RegistrationChange change,
                                                  IfMatch if_match);
    [[nodiscard]] Task<Outcome<>> remove(model::Identity identity, IfMatch if_match);
    [[nodiscard]] Task<Outcome<Twin>> change_twin(model::Identity identity, TwinChange change, ChangeKind kind,
                                                  IfMatch if_match);
    [[nodiscard]] Task<Outcome<>> apply_content(std::string device_id, boost::json::object content);
    // DeviceNotFound for an identity that is not registered, before anybody waits for it.
    [[nodiscard]] Task<Outcome<MethodAnswer>> invoke(model::Identity identity, MethodCall call);

    [[nodiscard]] const std::string& host() const { return host_; }
    [[nodiscard]] EventLog& events() { return events_; }
    [[nodiscard]] Connections& connections() { return connections_; }
    [[nodiscard]] const std::vector<Policy>& policies() const { return stores_.policies; }  // never change

private:
    std::string host_;
    Stores& stores_;
    Worker& worker_;
    EventLog& events_;
    Connections& connections_;
};

}  // namespace skerry::cloud
