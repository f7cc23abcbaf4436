// What is behind a BlockingModuleClient: a loop on one thread, handlers on another. Tests make one over a hub of their
// own.
#pragma once

#include "base/worker.hpp"
#include "sdk/blocking_loop.hpp"
#include "sdk/blocking_module_client.hpp"
#include "sdk/module_client.hpp"

namespace skerry::sdk {

struct BlockingModuleClient::State {
    using Make = std::function<Task<Result<std::unique_ptr<ModuleClient>>>(Platform platform)>;
    // Runs `make` on the loop and keeps the client.
    [[nodiscard]] Result<> create(const Make& make);

    BlockingLoop loop;
    std::unique_ptr<ModuleClient> client;  // used on the loop's thread only
    // Handlers block, and the loop must go on meanwhile, not least for their own sends.
    std::unique_ptr<Worker> worker{make_thread_worker("skerry-handlers")};
};

}  // namespace skerry::sdk
