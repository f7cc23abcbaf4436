// Everything that lives in the cloud's database, opened together.
//
// Threads: one at a time (the cloud's worker).
#pragma once

#include "cloud/commands/command_store.hpp"
#include "cloud/registry/authenticator.hpp"
#include "cloud/registry/policies.hpp"
#include "cloud/registry/registry.hpp"
#include "cloud/registry/twins.hpp"
#include "storage/database.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace skerry::cloud {

struct Stores {
    // `hosts`: the names of this hub. `authorities_pem`: whose certificates count as devices', may be empty.
    [[nodiscard]] static Result<std::unique_ptr<Stores>> open(const std::filesystem::path& database,
                                                              std::vector<std::string> hosts,
                                                              std::string authorities_pem, Random& random,
                                                              const Clock& clock);

    Stores(std::unique_ptr<storage::Database> opened, std::vector<Policy> loaded, std::vector<std::string> hosts,
           std::string authorities_pem, Random& random, const Clock& clock);

    std::unique_ptr<storage::Database> database;
    std::vector<Policy> policies;
    Registry registry;
    TwinStore twins;
    CommandStore commands;
    Authenticator authenticator;
};

}  // namespace skerry::cloud
