// Direct methods on their way to a client and back.
//
// Promises: an answer goes to the call it belongs to, and only when it comes from the client that was called. A
//           client that is not there, goes away, or stays silent ends the call with an answer that says so.
// Bounds:   1,000 calls at a time, those included that wait for a client, 64 per client; beyond that a call is refused.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"
#include "base/random.hpp"
#include "hub/sessions.hpp"

#include <map>
#include <string>

namespace skerry::hub {

struct MethodLimits {
    Duration connect{0};  // how long to wait for a client that is not there
    Duration response{std::chrono::seconds(330)};
};

class Methods final : public SessionObserver {
public:
    Methods(Metrics& metrics, Clock& clock, Random& random, Executor executor);

    // `from`: who calls, "upstream" for the cloud. Errc::not_found: not connected or not listening; timeout: no answer
    // in time, or gone before it answered; full.
    [[nodiscard]] Task<Result<iothub::MethodResponse>> invoke(Sessions& sessions, std::string from,
                                                              model::Identity target, iothub::MethodRequest request,
                                                              MethodLimits limits);
    void answered(const model::Identity& by, std::string_view call_id, iothub::MethodResponse response);

    void session_changed(Session& session) override;
    void session_ended(Session& session) override;

private:
    struct Call {
        model::Identity target;
        Event done;
        std::optional<iothub::MethodResponse> response;
    };
    [[nodiscard]] Task<Result<>> wait_for_listener(Sessions& sessions, model::Identity target);
    [[nodiscard]] bool has_room(const model::Identity& target) const;

    Metrics& metrics_;
    Clock& clock_;
    Random& random_;
    Executor executor_;
    Signal listeners_changed_;
    std::size_t waiting_{0};
    std::map<std::string, Call, std::less<>> calls_;
};

}  // namespace skerry::hub
