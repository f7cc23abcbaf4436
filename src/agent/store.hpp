// What the agent keeps on disk, so that it works at boot with no network: the newest deployment and the last good one
// (sealed with the device's key: they hold registry passwords and settings of modules), how the newest one does on
// probation, and the history of the modules.
//
// Promises: each file is the old one or the new one, never half. What can't be read is moved to "<name>.bad", logged
//           and counts as absent: the agent starts all the same.
// Files:    deployment.json and last-good.json {"format":1,"iv","sealed"}, sealed: {"version","desired"};
//           trial.json (Deployments); modules.json (History).
#pragma once

#include "agent/history.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "storage/files.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace skerry::agent {

// Encryption with a key that stays with the daemon.
class Seal {
public:
    virtual ~Seal() = default;
    [[nodiscard]] virtual Task<Result<std::string>> encrypt(std::string plaintext, std::string iv) = 0;
    [[nodiscard]] virtual Task<Result<std::string>> decrypt(std::string ciphertext, std::string iv) = 0;
};

struct StoredDeployment {
    std::int64_t version{0};
    boost::json::object desired;  // as the twin had it
};

class Store {
public:
    Store(storage::Files& files, Random& random, Seal& seal, std::filesystem::path folder)
        : files_(files), random_(random), seal_(seal), folder_(std::move(folder)) {}

    // nullopt: there is none, or none that can be used. An error: the daemon, who has the key, is not there or can't
    // now; ask again.
    [[nodiscard]] Task<Result<std::optional<StoredDeployment>>> load_deployment();
    [[nodiscard]] Task<Result<>> save_deployment(StoredDeployment deployment);
    // The same for the last good one.
    [[nodiscard]] Task<Result<std::optional<StoredDeployment>>> load_good();
    [[nodiscard]] Task<Result<>> save_good(StoredDeployment deployment);

    [[nodiscard]] boost::json::object load_trial();  // empty when there is none
    [[nodiscard]] Result<> save_trial(const boost::json::object& trial);

    [[nodiscard]] History load_history();
    [[nodiscard]] Result<> save_history(const History& history);

private:
    [[nodiscard]] Task<Result<std::optional<StoredDeployment>>> load_sealed(std::filesystem::path file);
    [[nodiscard]] Task<Result<>> save_sealed(std::filesystem::path file, StoredDeployment deployment);
    [[nodiscard]] Result<> save_object(const std::filesystem::path& file, const boost::json::object& object);
    void set_aside(const std::filesystem::path& file, std::string_view why);
    [[nodiscard]] std::optional<boost::json::object> read_object(const std::filesystem::path& file);

    storage::Files& files_;
    Random& random_;
    Seal& seal_;
    std::filesystem::path folder_;
};

}  // namespace skerry::agent
