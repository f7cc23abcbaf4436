// The role `skerry cloud`: a small IoT Hub in one process, for work with no cloud. A peer of the real service on the
// wire.
//
// Promises: whatever it acknowledged survives a kill at any time. Ready when <data>/admin.sock answers.
// Bounds:   4,096 connections per listener; further ones are closed at once.
// Threads:  the loop's, one for the database, two for the event log.
#pragma once

#include "base/event.hpp"
#include "base/task.hpp"
#include "cloud/events/segments.hpp"
#include "platform/platform.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace skerry::cloud {

struct Options {
    std::filesystem::path data;
    std::string listen;                   // an address; "" is all of them
    std::vector<std::string> host_names;  // at least one; the first is the hub's name
    std::uint16_t mqtt_port{8883};        // 0 takes a free one
    std::uint16_t https_port{443};
    std::filesystem::path device_authorities{};  // PEM file: whose certificates are devices'; empty: nobody's
    EventLogLimits events;
    bool inline_work{false};  // no threads: for simulation
};

inline constexpr const char* admin_socket_file = "admin.sock";

class Cloud {
public:
    // Opens the state, makes what is missing, and listens. Errors name what to change: a port in use, another cloud on
    // the same folder, a host name missing.
    [[nodiscard]] static Task<Result<std::unique_ptr<Cloud>>> start(Options options, Platform platform);
    ~Cloud();

    [[nodiscard]] std::uint16_t mqtt_port() const;
    [[nodiscard]] std::uint16_t https_port() const;

    // Ends connections, writes what waits. Call it before destruction.
    [[nodiscard]] Task<> close();

    struct State;
    explicit Cloud(std::unique_ptr<State> state);

private:
    std::unique_ptr<State> state_;
};

// Runs until `stop`. The exit status.
[[nodiscard]] Task<int> run_cloud(Options options, Platform platform, Event& stop);

}  // namespace skerry::cloud
