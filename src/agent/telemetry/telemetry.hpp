// Runtime quality telemetry (agent-and-daemon.md 4.5, docs/telemetry.md): off unless it was asked for.
//
//   own page, hub's page --scrape--> scrub --> Aggregate --> Diagnostics --file--> messages to the cloud, once a day
//
// Promises: does nothing, and keeps nothing in memory, when it is off. Between scrapes everything is on disk. What
// could
//           not be sent for a reason that may pass is sent later, until it is too old; what the cloud refuses is
//           dropped.
// Bounds:   see Diagnostics; 8 MiB of the hub's page.
#pragma once

#include "agent/settings.hpp"
#include "agent/telemetry/diagnostics.hpp"
#include "model/message.hpp"
#include "platform/platform.hpp"

#include <filesystem>
#include <functional>
#include <string>

namespace skerry::agent {

class Telemetry {
public:
    struct Parts {
        Platform platform;
        const TelemetrySettings& settings;
        std::filesystem::path folder;
        std::function<std::string()> own_page;
        std::function<Task<Result<>>(model::SharedMessage)> send;
    };
    explicit Telemetry(Parts parts) : parts_(std::move(parts)) {}

    // Both run until cancelled, or return at once when it is off.
    [[nodiscard]] Task<> keep_scraping();
    [[nodiscard]] Task<> keep_uploading();

private:
    [[nodiscard]] Task<> scrape();
    [[nodiscard]] Task<Result<>> upload();
    [[nodiscard]] Diagnostics load();
    void save(const Diagnostics& diagnostics);
    [[nodiscard]] std::filesystem::path file() const { return parts_.folder / "telemetry.bin"; }

    Parts parts_;
};

}  // namespace skerry::agent
