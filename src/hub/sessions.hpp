// Who is connected now: at most one session per identity, the newest.
#pragma once

#include "hub/session.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

namespace skerry::hub {

// Hears of sessions. A taken-over session has ended before its successor opens.
class SessionObserver {
public:
    virtual ~SessionObserver() = default;
    virtual void session_opened(Session&) {}
    virtual void session_changed(Session&) {}
    virtual void session_ended(Session&) {}
};

class Sessions {
public:
    Sessions(SessionServices services, std::size_t most) : services_(services), most_(most) {}

    // Closes an older session of the same identity. Errc::full: `most` clients are connected.
    [[nodiscard]] Result<std::unique_ptr<Session>> open(const model::Identity& identity, Admission admission,
                                                        Channel& channel);
    // nullptr when not connected. Valid until the next co_await.
    [[nodiscard]] Session* find(const model::Identity& identity) const;
    [[nodiscard]] std::size_t size() const { return sessions_.size(); }

    // Observers outlive the sessions; add them before the first opens.
    void add(SessionObserver& observer) { observers_.push_back(&observer); }

    // Closes every session for which `why` returns a reason.
    void close_where(const std::function<std::optional<std::string>(const Session&)>& why);

private:
    friend class Session;
    void session_changed(Session& session);
    void session_gone(Session& session);

    SessionServices services_;
    std::size_t most_;
    std::uint64_t last_serial_{0};
    std::unordered_map<model::Identity, Session*> sessions_;
    std::vector<SessionObserver*> observers_;
};

}  // namespace skerry::hub
