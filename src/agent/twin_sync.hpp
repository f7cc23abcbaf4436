// Keeps the agent and its twin in step: desired properties come in whole and in order, reported ones go out as diffs.
//
//   hub --patch--> TwinCopy --whole desired--> Supervisor --state--> document --diff with what the hub has--> hub
//
// Promises: a patch leads to reading the whole twin, for one that follows a replacement need not name what is gone (and
//           pieces of the former createOptions would be read as the new ones'); it counts as it is when the twin can't
//           be read. So do a gap between versions, a reconnect, and once in a while. A report that the hub refuses is
//           made smaller; if that is refused too, it is not said again until something changes.
// Threads:  the loop's.
#pragma once

#include "agent/twin_copy.hpp"
#include "base/clock.hpp"
#include "base/event.hpp"
#include "base/result.hpp"
#include "base/task.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

namespace skerry::agent {

// The connection to the hub, as far as the twin is concerned.
class TwinLink {
public:
    virtual ~TwinLink() = default;
    [[nodiscard]] virtual bool connected() const = 0;
    [[nodiscard]] virtual Task<Result<boost::json::object>> get_twin() = 0;
    [[nodiscard]] virtual Task<Result<>> report(boost::json::object patch) = 0;
};

class TwinSync {
public:
    struct Handlers {
        std::function<void(const boost::json::object& desired, std::int64_t version)> on_desired;
        std::function<std::optional<boost::json::object>(bool compact)> make_report;  // nullopt: not now
    };
    TwinSync(TwinLink& link, Clock& clock, Executor executor, Duration refresh, Handlers handlers)
        : link_(link),
          clock_(clock),
          refresh_(refresh),
          handlers_(std::move(handlers)),
          unread_(executor),
          unreported_(std::move(executor)) {}

    // From the connection.
    void connected();
    void patched(const boost::json::object& patch);
    // The agent's state may have changed.
    void state_changed() { unreported_.set(); }

    // Both run until cancelled.
    [[nodiscard]] Task<> keep_reading();
    [[nodiscard]] Task<> keep_reporting();

    // The last word, when the agent ends. Errc::unreachable when there is no connection.
    [[nodiscard]] Task<Result<>> say_farewell();

private:
    [[nodiscard]] Task<Result<>> read_whole();
    void take_unconfirmed();
    [[nodiscard]] Task<Duration> report_once();
    void refused(const Error& why, boost::json::object patch);

    TwinLink& link_;
    Clock& clock_;
    Duration refresh_;
    Handlers handlers_;
    TwinCopy copy_;
    bool unconfirmed_{false};  // the copy has patches that nobody was told of
    Event unread_;
    Event unreported_;
    boost::json::object refused_;  // what not to say again
    bool compact_{false};
    std::int64_t compact_since_{0};  // the desired version when a report was refused: the next one may fit
};

}  // namespace skerry::agent
