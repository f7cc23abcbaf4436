#include "daemon/watchdog.hpp"

#include "base/backoff.hpp"
#include "base/encoding.hpp"
#include "base/log.hpp"
#include "base/timeout.hpp"
#include "crypto/crypto.hpp"
#include "daemon/engine_change.hpp"
#include "daemonapi/log_frames.hpp"
#include "daemonapi/shapes.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
constexpr Duration first_pause = 1s;
constexpr Duration longest_pause = 30s;
constexpr Duration healthy = 60s;

Task<Result<>> told(Event& news) {
    co_await news.wait();
    co_return Result<>{};
}

Task<bool> goes_on(bool answer) { co_return answer; }
}  // namespace

Task<> Watchdog::run() {
    Backoff backoff(platform_.random, first_pause, longest_pause);
    const auto digest = bootstrap_digest();
    bool anew = is_outdated(digest);
    unsigned failures = 0;
    for (;;) {
        if (auto verdict = trial_.judge(); verdict.kind == AgentTrial::Verdict::Kind::failed) {
            co_await bring_back(std::move(verdict.reason));
            backoff.reset();
        }
        const auto ran_already = co_await modules_.ensure_agent(anew);
        if (!ran_already) {
            log::warn("the agent can't be started: {}", ran_already.error().text);
            const auto code = ran_already.error().code;
            if (code != Errc::unreachable && code != Errc::timeout) trial_.could_not_start();
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
        trial_.runs();  // also one that has ended again before anybody could look
        const auto since = platform_.clock.steady();
        co_await until_agent_ends();
        if (trial_.judge().kind == AgentTrial::Verdict::Kind::failed) continue;
        if (platform_.clock.steady() - since >= healthy)
            backoff.reset();
        else
            co_await platform_.clock.sleep(backoff.next());
    }
}

Task<> Watchdog::until_agent_ends() {
    for (;;) {
        const auto seen = modules_.engine().changes();
        const auto agent = co_await modules_.engine().inspect("edgeAgent");
        if (!agent || agent->state != model::RuntimeState::running) {
            log::warn("the agent does not run: {}", agent ? agent->description : agent.error().text);
            trial_.ended();
            co_return;
        }
        trial_.runs();
        const auto verdict = trial_.judge();
        if (verdict.kind == AgentTrial::Verdict::Kind::failed) co_return;
        if (verdict.kind != AgentTrial::Verdict::Kind::pending) {
            co_await modules_.engine().wait_change(seen);
            continue;
        }
        trial_.news().reset();
        auto news = first_of<void>(changed(modules_.engine(), seen), told(trial_.news()));
        const auto pause = verdict.again.value_or(longest_pause);
        static_cast<void>(co_await with_timeout<void>(platform_.clock, pause, std::move(news)));
    }
}

// Its successor may be gone already, or run and do nothing.
Task<> Watchdog::bring_back(std::string reason) {
    log::error("the new agent gives way to the one before it: {}", reason);
    const auto words = co_await last_words();
    const auto previous = trial_.previous(reason, words);
    if (previous) {
        const auto back = co_await modules_.replace_agent(*previous);
        if (back) {
            trial_.made(*previous);
            co_return;
        }
        if (back.error().code == Errc::unreachable) co_return;  // nothing can be done now, and nothing is forgotten
        log::error("the agent before it can't be brought back: {}", back.error().text);
    }
    log::warn("the agent of the configuration is started instead");
    if (const auto made = co_await modules_.ensure_agent(true); !made)
        log::error("the agent can't be started: {}", made.error().text);
}

Task<std::string> Watchdog::last_words() {
    constexpr std::size_t lines = 5;
    constexpr std::size_t most = 64 * 1024;
    std::string frames;
    engine::LogOptions options;
    options.tail = lines;
    const std::function<Task<bool>(std::string)> take = [&frames](const std::string& bytes) -> Task<bool> {
        frames += bytes.substr(0, most - frames.size());
        return goes_on(frames.size() < most);
    };
    static_cast<void>(co_await modules_.engine().logs("edgeAgent", options, take));
    daemonapi::LogFrames log;
    log.feed(frames);
    std::string text;
    while (const auto frame = log.next()) text += frame->text;
    co_return text;
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
