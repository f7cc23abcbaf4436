#include "agent/twin_sync.hpp"

#include "agent/report.hpp"
#include "agent/waiting.hpp"
#include "base/log.hpp"
#include "model/twin.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace skerry::agent {

namespace {

using namespace std::chrono_literals;

constexpr Duration between_reports = 1s;  // a burst of changes is one patch
constexpr Duration first_retry = 1s;
constexpr Duration longest_retry = 60s;
constexpr Duration after_failure = 5s;

bool is_refusal(const Error& error) {
    return error.code == Errc::malformed || error.code == Errc::unsupported || error.code == Errc::unauthorized;
}

}  // namespace

void TwinSync::connected() {
    copy_.reconnected();
    refused_.clear();
    unread_.set();
}

void TwinSync::patched(const boost::json::object& patch) {
    const auto patched = copy_.patch_desired(patch);
    if (patched == TwinCopy::Patched::ignored) return;
    unconfirmed_ = unconfirmed_ || patched == TwinCopy::Patched::applied;
    unread_.set();
}

// The twin can't be read now: what the patches say is the best there is.
void TwinSync::take_unconfirmed() {
    if (std::exchange(unconfirmed_, false)) handlers_.on_desired(copy_.desired(), copy_.version());
}

Task<Result<>> TwinSync::read_whole() {
    auto twin = co_await link_.get_twin();
    if (!twin) co_return fail(twin.error().while_doing("reading the twin"));
    if (!copy_.replace(std::move(*twin)))
        co_return fail(Errc::conflict, "the twin that was read is older than a change that came since");
    unconfirmed_ = false;
    handlers_.on_desired(copy_.desired(), copy_.version());
    state_changed();
    co_return Result<>{};
}

Task<> TwinSync::keep_reading() {
    auto retry = first_retry;
    for (;;) {
        co_await wait_at_most(clock_, unread_, refresh_);
        if (!link_.connected()) {
            take_unconfirmed();
            retry = first_retry;
            continue;  // connected() sets the event again
        }
        const auto read = co_await read_whole();
        if (read) {
            retry = first_retry;
            continue;
        }
        take_unconfirmed();
        if (link_.connected()) log::warn("{}; next try in {} s", read.error().text, retry / 1s);
        co_await wait_at_most(clock_, unread_, retry);
        retry = std::min(retry * 2, longest_retry);
        unread_.set();
    }
}

void TwinSync::refused(const Error& why, boost::json::object patch) {
    log::warn("The hub refuses the reported properties: {}{}", why.text,
              compact_ ? "" : "; createOptions and environments are left out from now on");
    if (compact_) {
        refused_ = std::move(patch);
        return;
    }
    compact_ = true;
    compact_since_ = copy_.version();
    state_changed();
}

// Returns how long to wait before the next one.
Task<Duration> TwinSync::report_once() {
    if (compact_ && copy_.version() != compact_since_) compact_ = false;
    const auto document = handlers_.make_report(compact_);
    if (!document) co_return Duration{};
    auto patch = model::diff(copy_.reported(), *document);
    if (patch.empty() || patch == refused_) co_return Duration{};
    const auto reported = co_await link_.report(patch);
    if (reported) {
        copy_.patch_reported(patch);
        co_return between_reports;
    }
    if (is_refusal(reported.error())) {
        refused(reported.error(), std::move(patch));
        co_return between_reports;
    }
    // On the way to nowhere: it is said again after the reconnect, or in a while.
    log::debug("Reporting failed: {}", reported.error().text);
    state_changed();
    co_return after_failure;
}

Task<> TwinSync::keep_reporting() {
    for (;;) {
        co_await unreported_.wait();
        unreported_.reset();
        if (!link_.connected() || !copy_.complete()) continue;  // reading the twin comes first, and calls again
        const auto pause = co_await report_once();
        if (pause > Duration{}) co_await clock_.sleep(pause);
    }
}

Task<Result<>> TwinSync::say_farewell() {
    if (!link_.connected() || !copy_.complete()) co_return fail(Errc::unreachable, "there is no connection to the hub");
    co_return co_await link_.report(farewell(copy_.reported()));
}

}  // namespace skerry::agent
