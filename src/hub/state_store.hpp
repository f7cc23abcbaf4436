// What the hub must remember besides messages: identities, twins, subscriptions, tokens. One SQLite file; secrets are
// sealed.
//
// Promises: a save is durable when it returns. Sealed records are AES-256-GCM under a data key of the hub's own,
//           which is stored encrypted by the daemon's workload API: one call at start, none later. When that key
//           can't be had back the sealed records are gone, with a warning, and the hub starts empty.
//           What is not there costs no disk: most clients connect without a record of their own.
// Bounds:   one record per identity and kind.
// Threads:  the loop's; SQLite runs on the Worker.
#pragma once

#include "base/random.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "base/worker.hpp"
#include "storage/database.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skerry::hub {

enum class StateKind { identity, twin, subscriptions, token };

// The daemon's encrypt and decrypt calls; tests put something simpler here.
struct KeyWrapper {
    std::function<Task<Result<std::string>>(std::string plaintext, std::string iv)> wrap;
    std::function<Task<Result<std::string>>(std::string ciphertext, std::string iv)> unwrap;
};

class StateStore {
public:
    // Opens or creates `file` and gets the data key. Errors: the file can't be used, or the daemon is unreachable.
    [[nodiscard]] static Task<Result<std::unique_ptr<StateStore>>> open(std::filesystem::path file, Worker& worker,
                                                                        KeyWrapper wrapper, Random& random);

    using Records = std::vector<std::pair<std::string, std::string>>;  // id and value
    // Records that can't be unsealed are left out and logged.
    [[nodiscard]] Task<Result<Records>> load_all(StateKind kind);
    [[nodiscard]] Task<Result<std::optional<std::string>>> load(StateKind kind, std::string id);
    [[nodiscard]] Task<Result<>> save(StateKind kind, std::string id, std::string value);
    [[nodiscard]] Task<Result<>> remove(StateKind kind, std::string id);
    // All records of a kind at once: those of before are gone.
    [[nodiscard]] Task<Result<>> replace_all(StateKind kind, Records records);

private:
    StateStore(std::unique_ptr<storage::Database> database, Worker& worker, Random& random);
    [[nodiscard]] Task<Result<>> obtain_key(KeyWrapper wrapper);
    [[nodiscard]] Task<Result<>> make_key(const KeyWrapper& wrapper);
    [[nodiscard]] Task<Result<>> list_records();
    [[nodiscard]] std::string seal(std::string_view aad, std::string_view value);
    [[nodiscard]] std::optional<std::string> unseal(std::string_view aad, std::string_view sealed) const;

    std::unique_ptr<storage::Database> database_;
    Worker& worker_;
    Random& random_;
    std::string key_;
    std::set<std::pair<StateKind, std::string>> present_;  // records that are, or may be, in the file
};

}  // namespace skerry::hub
