// What a role gets from its process; src/sim makes one that is all virtual. References outlive the role.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/task.hpp"
#include "net/network.hpp"
#include "storage/files.hpp"

namespace skerry {

struct Platform {
    Executor executor;
    Clock& clock;
    Random& random;
    net::Network& network;
    storage::Files& files;
};

}  // namespace skerry
