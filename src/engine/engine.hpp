// What runs modules: plain processes, or containers of a Moby engine. The daemon sees only this.
//
// Promises: a module of a name exists at most once and never runs twice. Modules outlive the engine object and the
//           daemon's process; a new engine on the same folder adopts them.
// Threads:  the loop's.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "model/module.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

struct LogOptions {
    bool follow{false};
    std::optional<std::size_t> tail;  // lines; absent: all
    std::optional<WallTime> since;
    std::optional<WallTime> until;
    bool timestamps{false};
};

enum class ImageUse : std::uint8_t { pulled, used };

// The images on this machine, for engines that have such.
class ImageStore {
public:
    virtual ~ImageStore() = default;
    // The id of the image that the module would be made of now. Errc::not_found when it is not here.
    [[nodiscard]] virtual Task<Result<std::string>> image_id(model::ModuleSpec spec) = 0;
    [[nodiscard]] virtual Task<Result<std::vector<std::string>>> image_ids() = 0;
    // Of all containers, ours or not, running or not.
    [[nodiscard]] virtual Task<Result<std::vector<std::string>>> image_ids_in_use() = 0;
    // Success when it is not there. Errc::conflict while a container or another image needs it: nothing is forced.
    [[nodiscard]] virtual Task<Result<>> remove_image(std::string id) = 0;
};

class Engine {
public:
    virtual ~Engine() = default;

    // Waits until the engine can be used, for ever if need be, and says in the log what it waits for. Once, first.
    [[nodiscard]] virtual Task<> open() = 0;

    // Makes the image ready (pull, or find the bundle). Errc::not_found when there is none. Of a module that exists,
    // what could not be made of `spec` is refused here: it is asked before the module is removed to be made anew.
    [[nodiscard]] virtual Task<Result<>> prepare(const model::ModuleSpec& spec) = 0;
    // Errc::conflict when the name exists. The module is stopped then.
    [[nodiscard]] virtual Task<Result<>> create(const model::ModuleSpec& spec) = 0;
    // Success when it runs already (nothing is touched then).
    [[nodiscard]] virtual Task<Result<>> start(std::string name) = 0;
    // TERM, then KILL after `grace`, or after what the module's createOptions say of it (StopTimeout, an hour at most);
    // success when it does not run.
    [[nodiscard]] virtual Task<Result<>> stop(std::string name, Duration grace) = 0;
    // Stops if needed; removes state and logs.
    [[nodiscard]] virtual Task<Result<>> remove(std::string name) = 0;

    [[nodiscard]] virtual Task<Result<std::vector<model::ModuleStatus>>> list() = 0;
    [[nodiscard]] virtual Task<Result<model::ModuleStatus>> inspect(std::string name) = 0;
    // Frames as Docker's: 1 byte stream (1 stdout, 2 stderr), 3 zero bytes, 4 bytes length big-endian, payload.
    // A piece holds many frames, or a part of one. Calls `on_frame` until the end, or (follow) until it returns false.
    [[nodiscard]] virtual Task<Result<>> logs(std::string name, LogOptions options,
                                              std::function<Task<bool>(std::string)> on_frame) = 0;
    // Whether the process belongs to the module now (its process group, cgroup or container).
    [[nodiscard]] virtual bool owns_process(std::string_view name, pid_t process) = 0;
    // How often modules have changed since this object was made; take it before you look at them.
    [[nodiscard]] virtual std::uint64_t changes() const = 0;
    // Waits until changes() is another number. Any number of callers may wait at once.
    [[nodiscard]] virtual Task<> wait_change(std::uint64_t seen) = 0;
    // What modules use, as Docker's statistics; one object per running module that can be measured.
    [[nodiscard]] virtual Task<Result<boost::json::array>> statistics() = 0;

    // What the engine itself tells of a module, and of all its networks: whole, secrets and all; for those who look for
    // faults. Errc::unsupported where the engine has no description of its own.
    [[nodiscard]] virtual Task<Result<boost::json::object>> describe(std::string) {
        co_return fail(Errc::unsupported, "this engine has no description of a module");
    }
    [[nodiscard]] virtual Task<Result<boost::json::array>> describe_networks() {
        co_return fail(Errc::unsupported, "this engine has no networks");
    }

    // A listening socket that the module sees as /var/run/iotedge/<file>, and that outlives the daemon where it can:
    // then this is the very socket of a module that runs. The descriptor is the caller's. Ask for a module that exists.
    [[nodiscard]] virtual Result<int> listener(const std::string& name, const std::string& file) = 0;
    // Where the module sees the folder of its own that outlives it, as a volume does; nullopt where it has none.
    [[nodiscard]] virtual Result<std::optional<std::filesystem::path>> storage(const std::string& name) = 0;

    // nullptr: modules are not made of images that could be removed.
    [[nodiscard]] virtual ImageStore* images() { return nullptr; }

    // Stops watching; modules run on. Await it before the engine is destroyed.
    [[nodiscard]] virtual Task<> close() = 0;

    // What the engine says of itself, for /systeminfo: {"server_version": …}.
    [[nodiscard]] virtual boost::json::object info() const = 0;
};

}  // namespace skerry::engine
