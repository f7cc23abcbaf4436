// One module of the process engine: what is on disk of it, and what its status is.
#pragma once

#include "base/descriptor.hpp"
#include "base/event.hpp"
#include "engine/run_record.hpp"
#include "engine/spawn.hpp"
#include "model/module.hpp"
#include "storage/files.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

enum class Alive { no, shim, orphan };  // orphan: its shim was killed, its first process runs

struct Module {
    Module(model::ModuleSpec wanted, std::filesystem::path its_folder, const Executor& executor)
        : spec(std::move(wanted)), folder(std::move(its_folder)), changed(executor) {}

    model::ModuleSpec spec;
    std::filesystem::path folder;
    std::optional<RunRecord> run;
    Alive alive{Alive::no};
    // A pidfd while it is alive: of the shim, or of the orphan. Its watcher may outlive it here.
    std::shared_ptr<Descriptor> process;
    std::map<std::string, OwnedDescriptor> sockets;  // by file name; the engine's copies
    Signal changed;
};

// The name of a module's folder.
[[nodiscard]] Result<std::string> folder_of(std::string_view module_name);

[[nodiscard]] Result<> save_spec(storage::Files& files, const std::filesystem::path& folder,
                                 const model::ModuleSpec& spec);
[[nodiscard]] Result<model::ModuleSpec> load_spec(storage::Files& files, const std::filesystem::path& folder);
// nullopt: never started. A damaged record counts as that too, and is logged.
[[nodiscard]] std::optional<RunRecord> load_run(storage::Files& files, const std::filesystem::path& folder);

// Pure. `boot_id` is the present one.
[[nodiscard]] model::ModuleStatus status_of(const model::ModuleSpec& spec, const std::optional<RunRecord>& run,
                                            Alive alive, std::string_view boot_id);

}  // namespace skerry::engine
