#include "sdk/run_module.hpp"

#include "base/log.hpp"
#include "base/loop.hpp"

#include <cstdlib>
#include <exception>

namespace skerry::sdk {

int run_module(const std::function<Task<int>(Platform platform, Event& stop)>& main) {
    log::configure(log::Level::info, log::Format::text);
    try {
        Loop loop;
        SystemClock clock;
        SystemRandom random;
        const auto network = net::make_system_network(loop.executor());
        const auto files = storage::make_system_files();
        return loop.run(
            [&](Event& stop) { return main(Platform{loop.executor(), clock, random, *network, *files}, stop); });
    } catch (const std::exception& failure) {
        log::fatal("the module ended: {}", failure.what());
        return EXIT_FAILURE;
    }
}

}  // namespace skerry::sdk
