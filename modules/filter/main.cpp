#include "base/log.hpp"
#include "daemonapi/environment.hpp"
#include "filter/filter.hpp"
#include "sdk/run_module.hpp"

#include <cstdlib>

namespace {
using namespace skerry;

Task<int> filter(Platform platform, Event& stop) {
    const auto environment = daemonapi::Environment::of_process();
    auto ledger = modules::Ledger::open(environment.value_or("SKERRY_LEDGER", ""));
    auto client = co_await sdk::ModuleClient::from_environment(platform, environment);
    if (!ledger || !client) {
        log::fatal("the filter can't start: {}", (!ledger ? ledger.error() : client.error()).text);
        co_return EXIT_FAILURE;
    }
    co_await modules::run_filter(**client, *ledger, stop);
    co_return EXIT_SUCCESS;
}
}  // namespace

int main() { return sdk::run_module(&filter); }
