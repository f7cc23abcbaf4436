// Names to addresses, without holding up the loop, a cancellation or the end of the process.
//
// Promises: a numeric address is answered at once. A name is looked up on a thread of its own that
//           shares nothing with the loop but its answer: getaddrinfo can't be interrupted, so a caller that gives up
//           leaves it behind. At most 16 look-ups are under way; one more is Errc::full.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "net/address.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace skerry::net {

class Resolver {
public:
    explicit Resolver(Executor executor);

    // At least one address, in the system's order of preference. Errc::unreachable when the name is not known.
    [[nodiscard]] Task<Result<std::vector<SocketAddress>>> resolve(std::string host, std::uint16_t port);

private:
    Executor executor_;
    std::shared_ptr<std::atomic<int>> under_way_;  // shared with threads that were left behind
};

}  // namespace skerry::net
