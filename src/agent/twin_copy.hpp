// The agent's copy of its twin: kept up to date by patches, read again when one was missed. Pure bookkeeping.
#pragma once

#include <boost/json/object.hpp>

#include <cstdint>

namespace skerry::agent {

class TwinCopy {
public:
    // Whether there is a copy at all.
    [[nodiscard]] bool complete() const { return complete_; }

    // The whole twin, {"desired":{…},"reported":{…}}. False when it is older than a patch that was seen on this
    // connection: read it once more.
    [[nodiscard]] bool replace(boost::json::object twin);

    enum class Patched { applied, ignored, gap };
    // `ignored`: older than the copy. `gap`: one before it was missed (or there is no copy), so the twin must be read.
    [[nodiscard]] Patched patch_desired(const boost::json::object& patch);
    void patch_reported(const boost::json::object& patch);

    // A new connection: what was missed is unknown, and versions may start anew (the twin was made again).
    void reconnected() { newest_seen_ = 0; }

    // Without the twin's own members ($version, $metadata).
    [[nodiscard]] const boost::json::object& desired() const { return desired_; }
    [[nodiscard]] const boost::json::object& reported() const { return reported_; }
    [[nodiscard]] std::int64_t version() const { return version_; }

private:
    boost::json::object desired_;
    boost::json::object reported_;
    std::int64_t version_{0};
    std::int64_t newest_seen_{0};
    bool complete_{false};
};

}  // namespace skerry::agent
