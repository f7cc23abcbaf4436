// What the agent keeps on disk, so that it works at boot with no network: the last good deployment (sealed with the
// device's key: it holds registry passwords and settings of modules) and the history of the modules.
//
// Promises: each file is the old one or the new one, never half. What can't be read is moved to "<name>.bad", logged
//           and counts as absent: the agent starts all the same.
// Files:    deployment.json {"format":1,"iv","sealed"}, sealed: {"version","desired"}; modules.json (History).
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

    [[nodiscard]] History load_history();
    [[nodiscard]] Result<> save_history(const History& history);

private:
    void set_aside(const std::filesystem::path& file, std::string_view why);
    [[nodiscard]] std::optional<boost::json::object> read_object(const std::filesystem::path& file);

    storage::Files& files_;
    Random& random_;
    Seal& seal_;
    std::filesystem::path folder_;
};

}  // namespace skerry::agent
