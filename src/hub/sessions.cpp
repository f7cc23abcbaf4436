#include "hub/sessions.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

namespace skerry::hub {

Result<std::unique_ptr<Session>> Sessions::open(const model::Identity& identity, Admission admission,
                                                Channel& channel) {
    if (auto* const older = find(identity)) {
        session_gone(*older);
        older->channel().close("a newer connection of the same identity took over");
    } else if (sessions_.size() >= most_) {
        return fail(Errc::full, fmt::format("{} is refused: {} clients are connected, which is the limit "
                                            "(MaxConnectedClients)",
                                            identity.id(), most_));
    }
    auto session = std::make_unique<Session>(*this, services_, identity, std::move(admission), channel, ++last_serial_);
    sessions_.emplace(identity, session.get());
    log::info("New device connection for device {}", identity.id());
    for (auto* const observer : observers_) observer->session_opened(*session);
    return session;
}

Session* Sessions::find(const model::Identity& identity) const {
    const auto found = sessions_.find(identity);
    return found == sessions_.end() ? nullptr : found->second;
}

void Sessions::close_where(const std::function<std::optional<std::string>(const Session&)>& why) {
    std::vector<std::pair<Session*, std::string>> condemned;
    for (const auto& [identity, session] : sessions_)
        if (auto reason = why(*session)) condemned.emplace_back(session, std::move(*reason));
    for (const auto& [session, reason] : condemned) {
        session_gone(*session);
        session->channel().close(reason);
    }
}

void Sessions::session_changed(Session& session) {
    for (auto* const observer : observers_) observer->session_changed(session);
}

void Sessions::session_gone(Session& session) {
    sessions_.erase(session.identity());
    session.end();
    for (auto* const observer : observers_) observer->session_ended(session);
    log::info("Device connection of {} has ended", session.identity().id());
}

}  // namespace skerry::hub
