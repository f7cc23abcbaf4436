// `skerry check`: is this device configured as it should be, and can it reach what it needs? Its result is also the
// check.json of a support bundle (agent-and-daemon.md 7.6).
//
//   config.toml --> the checks, one after the other --> CheckReport --> text for people, or JSON
//
// Promises: reads and connects only; changes nothing. Runs in the daemon's own process as well as beside it, and never
//           blocks the loop. No check hides another: one that needs what another one found missing is skipped and says
//           so.
// Bounds:   10 s per check, `CheckOptions::budget` for all; what there was no time for is skipped.
#pragma once

#include "base/clock.hpp"
#include "base/task.hpp"
#include "platform/platform.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::daemon {

enum class Verdict : std::uint8_t { ok, warning, error, fatal, ignored, skipped };
[[nodiscard]] std::string_view name_of(Verdict verdict);

struct CheckInfo {
    std::string_view id;
    std::string_view section;
    std::string_view description;
};

struct CheckResult {
    CheckInfo check;
    Verdict verdict{Verdict::ok};
    std::vector<std::string> details;
};

struct CheckOptions {
    std::filesystem::path config{"/etc/aziot/config.toml"};
    std::set<std::string, std::less<>> dont_run;  // ids; they count as ignored
    Duration budget{std::chrono::seconds(60)};
    std::uint16_t https_port{443};
    std::uint16_t mqtt_port{8883};
};

struct CheckReport {
    std::vector<CheckResult> results;
    boost::json::object additional_info;  // of the machine and the engine

    [[nodiscard]] std::size_t count(Verdict verdict) const;
    [[nodiscard]] bool failed() const { return count(Verdict::error) + count(Verdict::fatal) > 0; }
};

// In the order in which they run.
[[nodiscard]] std::vector<CheckInfo> list_checks();

[[nodiscard]] Task<CheckReport> run_checks(Platform platform, CheckOptions options);

// {"additional_info":{…},"checks":{"<id>":{"result":"ok","details":[…]}}}
[[nodiscard]] boost::json::object report_json(const CheckReport& report);
// "√ … - OK", a line per check, and how many there were of each kind. `verbose`: what was skipped, too.
[[nodiscard]] std::string report_text(const CheckReport& report, bool verbose);

}  // namespace skerry::daemon
