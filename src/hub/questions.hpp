// Whom the cloud was asked about lately: a stranger must not turn each of its CONNECTs into a call upstream.
//
// Bounds:  one question per id and delay; 1,000 ids remembered; 8 questions at a time.
// Threads: the loop's.
#pragma once

#include "base/clock.hpp"
#include "model/identity.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <utility>

namespace skerry::hub {

class Questions {
public:
    Questions(Clock& clock, Duration again) : clock_(clock), again_(again) {}

    // Leave to ask, for as long as the question takes. The Questions outlive it.
    class Permit {
    public:
        explicit Permit(Questions& owner) : owner_(&owner) { ++owner.running_; }
        Permit(Permit&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
        Permit& operator=(Permit&&) = delete;
        ~Permit() {
            if (owner_) --owner_->running_;
        }

    private:
        Questions* owner_;
    };

    // nullopt: asked lately, or too many questions are open.
    [[nodiscard]] std::optional<Permit> ask(const model::Identity& identity);
    // Even if it was asked lately: the cloud itself has said that something changed.
    [[nodiscard]] std::optional<Permit> ask_at_once(const model::Identity& identity);

    // No answer came: there is no need to wait when the way to the cloud is open again.
    void unanswered(const model::Identity& identity);
    void reachable_again();
    // The answer let the identity in: who is known may come again at once.
    void forget(const model::Identity& identity) { asked_.erase(identity); }

private:
    struct Asked {
        SteadyTime when;
        bool answered{true};
    };
    Clock& clock_;
    Duration again_;
    std::map<model::Identity, Asked> asked_;
    std::size_t running_{0};
};

}  // namespace skerry::hub
