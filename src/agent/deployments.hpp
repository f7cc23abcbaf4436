// Which deployment is in force: the newest one while it proves itself and after it did; the last good one after the
// newest failed. The rules are those of docs/safe-deployments.md.
//
//   twin --newest--> on probation --passed--> last good
//                        '--failed--> the last good one is in force again; the newest is not tried until it changes
//
// Promises: all of it is on disk before a module is touched for it (or saving has failed and was logged), so an agent
//           that is killed at any moment goes on where it was: newest, last good, counts, verdict. A malformed
//           deployment changes nothing. The first deployment becomes the last good one as soon as it is carried out:
//           the device has nothing better.
// Threads:  the loop's.
#pragma once

#include "agent/deployment.hpp"
#include "agent/probation.hpp"
#include "agent/store.hpp"
#include "base/clock.hpp"
#include "base/event.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace skerry::agent {

class Deployments {
public:
    struct Parts {
        Store& store;
        const DeviceFacts& facts;
        Clock& clock;
        Executor executor;
        ProbationPolicy defaults;
        Duration patience;  // how long a newer deployment waits for the stored ones to be readable
        std::function<void()> on_saved;
    };
    explicit Deployments(Parts parts);

    struct Rejected {
        std::int64_t version;
        model::ManifestError why;
    };
    struct Rollback {
        std::int64_t failed_version{0};
        std::string failed_digest;
        std::int64_t restored_version{0};
        std::string module;
        std::string reason;
        std::string log;  // last_words of the module
        WallTime time;
    };

    // The desired properties, whole. True: another deployment is in force from now on.
    [[nodiscard]] bool take(const boost::json::object& desired, std::int64_t version);
    // Reads what is stored, until that is done. True: another deployment is in force from now on.
    [[nodiscard]] Task<bool> load();
    [[nodiscard]] bool loaded() const { return !load_pending_; }

    [[nodiscard]] const std::shared_ptr<const Deployment>& in_force() const { return in_force_; }
    [[nodiscard]] const std::optional<Rejected>& rejected() const { return rejected_; }
    [[nodiscard]] bool first() const { return !good_; }  // there is none to go back to

    [[nodiscard]] std::string good_fingerprint(const std::string& module) const;
    // The image of a module that is as the last good deployment has it: what comes back is made of that.
    void note_good_image(const std::string& module, const std::string& id);

    // The newest one was carried out already and did not pass; what is in force is the last good one.
    [[nodiscard]] bool rolled_back() const;
    [[nodiscard]] const std::optional<Rollback>& rollback() const { return rollback_; }
    [[nodiscard]] boost::json::object rollback_report() const;  // the reported property; empty: none
    [[nodiscard]] std::string rollback_text() const;

    // The deployment in force has not proved itself yet.
    [[nodiscard]] bool on_trial() const { return on_trial_; }
    // … and will be undone if it fails, so it must be carried out whole.
    [[nodiscard]] bool guarded() const { return on_trial_ && good_ && policy_.rollback; }
    // Its judge; made at the first call, when `failed_before` and `there` (looks as wanted already) are asked.
    [[nodiscard]] Probation& probation(const std::function<bool(const std::string&)>& failed_before,
                                       const std::function<bool(const std::string&)>& there);
    [[nodiscard]] Probation* probation() { return probation_ ? &*probation_ : nullptr; }
    void passed();
    void failed(std::string module, std::string reason, std::string log);
    // Writes down the counts and images if they changed.
    void note_counts();

    // What is in force and the last good one were written, or could not be.
    [[nodiscard]] bool saved() const { return saved_; }
    [[nodiscard]] Task<> keep_saving();  // runs until cancelled

private:
    using Shared = std::shared_ptr<const Deployment>;
    void settle(std::optional<StoredDeployment> newest, std::optional<StoredDeployment> good);
    [[nodiscard]] Shared made_from(const std::optional<StoredDeployment>& stored) const;
    [[nodiscard]] Shared restored() const;
    [[nodiscard]] bool changes(const DesiredModule& module) const;
    void try_out(Shared deployment);
    void save(std::optional<StoredDeployment>& slot, const Deployment& deployment);
    [[nodiscard]] Task<bool> save_pending(bool good);
    void save_trial();
    void read_rollback(const boost::json::object& trial);
    void read_images(const boost::json::object& trial);

    Parts parts_;
    bool load_pending_{true};
    std::optional<SteadyTime> load_failed_since_;
    std::optional<StoredDeployment> early_;  // the twin's, that came before the stored ones were read

    Shared in_force_;
    Shared newest_;  // accepted
    Shared good_;
    std::optional<Rejected> rejected_;
    bool on_trial_{false};
    ProbationPolicy policy_;
    std::optional<Probation> probation_;
    boost::json::object stored_counts_;  // of the trial that an earlier process began
    std::optional<Rollback> rollback_;
    std::map<std::string, std::string> good_images_;  // by module; while there is something to go back to
    bool images_changed_{false};

    std::optional<StoredDeployment> unsaved_newest_;
    std::optional<StoredDeployment> unsaved_good_;
    bool saved_{true};
    Event save_;
};

}  // namespace skerry::agent
