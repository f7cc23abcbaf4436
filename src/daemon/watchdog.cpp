#include "daemon/watchdog.hpp"

#include "base/backoff.hpp"
#include "base/encoding.hpp"
#include "base/log.hpp"
#include "crypto/crypto.hpp"
#include "daemonapi/shapes.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
constexpr Duration first_pause = 1s;
constexpr Duration longest_pause = 30s;
constexpr Duration healthy = 60s;
}  // namespace

Task<> Watchdog::run() {
    Backoff backoff(platform_.random, first_pause, longest_pause);
    const auto digest = bootstrap_digest();
    bool anew = is_outdated(digest);
    unsigned failures = 0;
    for (;;) {
        const auto ran_already = co_await modules_.ensure_agent(anew);
        if (!ran_already) {
            log::warn("the agent can't be started: {}", ran_already.error().text);
            if (max_retries_ && ++failures >= *max_retries_) {
                log::fatal("the agent could not be started {} times in a row (watchdog.max_retries)", failures);
                co_return;
            }
            co_await platform_.clock.sleep(backoff.next());
            continue;
        }
        if (anew) keep_digest(digest);
        anew = false;
        failures = 0;
        log::info("{}", *ran_already ? "the agent runs already" : "the agent was started");
        const auto since = platform_.clock.steady();
        co_await until_agent_ends();
        if (platform_.clock.steady() - since >= healthy)
            backoff.reset();
        else
            co_await platform_.clock.sleep(backoff.next());
    }
}

Task<> Watchdog::until_agent_ends() {
    for (;;) {
        const auto agent = co_await modules_.engine().inspect("edgeAgent");
        if (!agent || agent->state != model::RuntimeState::running) {
            log::warn("the agent does not run: {}", agent ? agent->description : agent.error().text);
            co_return;
        }
        co_await modules_.engine().wait_change();
    }
}

std::string Watchdog::bootstrap_digest() const {
    const auto spec = modules_.bootstrap_spec(KnownIdentity{});
    return hex_encode(crypto::sha256(boost::json::serialize(daemonapi::to_json(spec))));
}

bool Watchdog::is_outdated(const std::string& digest) {
    const auto rows = database_.query("SELECT value FROM facts WHERE name = 'bootstrap'");
    return !rows || rows->empty() || rows->front().text(0) != digest;
}

void Watchdog::keep_digest(const std::string& digest) {
    const auto kept = database_.execute("INSERT OR REPLACE INTO facts VALUES ('bootstrap', ?1)", {digest});
    if (!kept) log::error("keeping what the agent was made of: {}", kept.error().text);
}

}  // namespace skerry::daemon
