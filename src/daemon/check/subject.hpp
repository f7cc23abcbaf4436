// What the checks look at, and what one leaves for those after it.
#pragma once

#include "daemon/check/check.hpp"
#include "daemon/config.hpp"
#include "model/module.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace skerry::daemon {

struct Subject {
    Platform platform;
    const CheckOptions& options;
    std::optional<Config> config;  // when it is well-formed
    std::string trusted;           // PEM
    std::string engine_version;
    std::optional<std::vector<model::ModuleStatus>> modules;  // when the daemon answers
    std::optional<WallTime> hub_time;                         // what the hub's clock says

    // The hub, or the parent that stands for it.
    [[nodiscard]] const std::string& upstream() const {
        return config->parent_hostname.empty() ? config->hub_host : config->parent_hostname;
    }
};

struct Outcome {
    Verdict verdict{Verdict::ok};
    std::vector<std::string> details;
};

struct Check {
    CheckInfo info;
    bool needs_config{true};
    Task<Result<Outcome>> (*run)(Subject& subject);  // an error counts as Verdict::error
};

[[nodiscard]] std::span<const Check> configuration_checks();
[[nodiscard]] std::span<const Check> connectivity_checks();

// "Sun, 06 Nov 1994 08:49:37 GMT", as HTTP has it; nullopt for anything else. Pure.
[[nodiscard]] std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace skerry::daemon
