// Starting a shim, and the listening sockets that it is to hold.
#pragma once

#include "base/result.hpp"
#include "engine/launch.hpp"

#include <sys/types.h>

#include <filesystem>
#include <vector>

namespace skerry::engine {

// A descriptor that closes itself.
class OwnedDescriptor {
public:
    OwnedDescriptor() = default;
    explicit OwnedDescriptor(int descriptor) : descriptor_(descriptor) {}
    OwnedDescriptor(OwnedDescriptor&& other) noexcept : descriptor_(other.release()) {}
    OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept;
    ~OwnedDescriptor();

    [[nodiscard]] int get() const { return descriptor_; }
    [[nodiscard]] int release();
    [[nodiscard]] Result<int> copy() const;

private:
    int descriptor_{-1};
};

struct SpawnedShim {
    pid_t pid{0};
    OwnedDescriptor answer;  // the read end of the pipe that takes the shim's answer
};
// `sockets` are handed down in the order of `launch.sockets`.
[[nodiscard]] Result<SpawnedShim> spawn_shim(const std::filesystem::path& shim, const Launch& launch,
                                             const std::vector<int>& sockets);

// A unix socket listening at `path`, for everybody (0666), in place of what is there. It is made here and not by net,
// since it outlives this process. Errc::malformed for a path of 108 bytes or more, with the limit.
[[nodiscard]] Result<OwnedDescriptor> listen_at(const std::filesystem::path& path);

}  // namespace skerry::engine
