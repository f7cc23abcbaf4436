// Messages to devices that wait for them, and what became of those whose senders want to know
// (iot-hub-wire.md 1.8, 2.9).
//
// Promises: a message is on disk before it is accepted, and is gone only when it was completed, rejected, has expired
//           or was abandoned ten times. One that is locked is received by nobody else. In order for each device.
// Bounds:   50 messages of 64 KiB for each device; 10,000 records of feedback (then the oldest go).
// Threads:  one at a time (the cloud's worker).
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "cloud/fault.hpp"
#include "cloud/registry/registry.hpp"
#include "model/message.hpp"
#include "storage/database.hpp"

#include <boost/json/array.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace skerry::cloud {

// What the sender wants to hear of its message.
enum class Acknowledgement { none, positive, negative, full };
[[nodiscard]] Outcome<Acknowledgement> parse_acknowledgement(std::string_view text);

struct Command {
    std::int64_t sequence{0};
    std::string lock_token;
    std::int64_t delivery_count{0};
    WallTime enqueued;
    model::Message message;
};

class CommandStore {
public:
    CommandStore(storage::Database& database, Registry& registry, Random& random, const Clock& clock)
        : database_(database), registry_(registry), random_(random), clock_(clock) {}

    // For a device; its expiry ("absolute-expiry-time") is one hour from now unless it is set.
    [[nodiscard]] Outcome<> put(const model::Identity& device, model::Message message, Acknowledgement acknowledgement);
    // Locks and returns what waits, the oldest first.
    [[nodiscard]] Outcome<std::vector<Command>> receive(const model::Identity& device, std::size_t at_most,
                                                        Duration lock);
    // PreconditionFailed: nothing is locked with this token (any more).
    [[nodiscard]] Outcome<> complete(const model::Identity& device, const std::string& lock_token);
    [[nodiscard]] Outcome<> reject(const model::Identity& device, const std::string& lock_token);
    // Due again; after the tenth time it counts as undeliverable.
    [[nodiscard]] Outcome<> abandon(const model::Identity& device, const std::string& lock_token);
    // The receiver has gone: due again, and nobody's fault.
    [[nodiscard]] Outcome<> release(const model::Identity& device, const std::vector<std::string>& lock_tokens);
    // After a start nobody holds a lock.
    [[nodiscard]] Outcome<> release_all();
    // How many there were. Also for a device that was deleted.
    [[nodiscard]] Outcome<std::int64_t> purge(const model::Identity& device);

    struct Feedback {
        std::string lock_token;
        boost::json::array records;
    };
    // Up to 64 records, locked for a minute; empty when there are none.
    [[nodiscard]] Outcome<Feedback> receive_feedback();
    [[nodiscard]] Outcome<> complete_feedback(const std::string& lock_token);
    [[nodiscard]] Outcome<> abandon_feedback(const std::string& lock_token);

private:
    [[nodiscard]] Outcome<> settle(const model::Identity& device, const std::string& lock_token,
                                   std::string_view status);
    [[nodiscard]] Outcome<> end(const storage::Row& row, std::string_view status);
    [[nodiscard]] Outcome<> end_expired();
    [[nodiscard]] std::int64_t now() const;

    storage::Database& database_;
    Registry& registry_;
    Random& random_;
    const Clock& clock_;
};

}  // namespace skerry::cloud
