// What a Moby engine answers (Docker Engine API 1.41), read into values.
//
// Promises: pure. Members that are absent, null or of another type than documented read as empty: Docker and Podman
//           differ there. Only what can't be done without (a container's id, its state) is Errc::malformed.
#pragma once

#include "base/result.hpp"
#include "model/module.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine::moby {

// Containers with this label are ours: the existing runtime's, so that either finds what the other made.
inline constexpr std::string_view owner_label = "net.azure-devices.edge.owner";
inline constexpr std::string_view owner_value = "Microsoft.Azure.Devices.Edge.Agent";
inline constexpr std::string_view image_label = "net.azure-devices.edge.original-image";
// On a container that was only made to see whether the engine would: the module's name.
inline constexpr std::string_view trial_label = "net.skerry.trial";
// What of its createOptions a container was not given: part of its description.
inline constexpr std::string_view refused_label = "net.skerry.refused";

// What a status code of the engine means to us, and what its body says: {"message": …}, or the text, 1,000 bytes of it.
[[nodiscard]] Errc code_of(unsigned status);
[[nodiscard]] std::string message_of(std::string_view body);

struct Container {
    std::string id;
    bool tty{false};
    bool paused{false};
    std::optional<Duration> grace;  // StopTimeout: from its TERM to its KILL, an hour at most
    std::string log_driver;         // what its output goes to: "json-file", "journald"
    bool log_bounded{false};        // max-size is set
    model::ModuleStatus status;
};
// GET /containers/{name}/json
[[nodiscard]] Result<Container> parse_container(std::string_view body);

struct Created {
    std::string id;
    std::vector<std::string> warnings;
};
// POST /containers/create
[[nodiscard]] Result<Created> parse_created(std::string_view body);

struct ListedContainer {
    std::string id;
    std::string name;
    std::string look;  // its state, and its health or exit code if the engine tells: "running (healthy)"
};
// GET /containers/json
[[nodiscard]] Result<std::vector<ListedContainer>> parse_containers(std::string_view body);

struct Image {
    std::string id;
    std::vector<std::string> names;    // "skerry/hub:1"
    std::vector<std::string> digests;  // "skerry/hub@sha256:…", one per repository it came from
};
// GET /images/{name}/json and GET /images/json
[[nodiscard]] Result<Image> parse_image(std::string_view body);
[[nodiscard]] Result<std::vector<Image>> parse_images(std::string_view body);
// GET /containers/json: the images' ids. Errc::malformed if one is missing: what is not told can't be kept.
[[nodiscard]] Result<std::vector<std::string>> parse_images_in_use(std::string_view body);

struct EngineInfo {
    std::string log_driver;                        // the default one: "json-file"
    std::vector<std::string> insecure_ranges;      // "127.0.0.0/8": registries there may speak plain HTTP
    std::vector<std::string> insecure_registries;  // "host:port"
    bool operator==(const EngineInfo&) const = default;
};
// GET /info
[[nodiscard]] Result<EngineInfo> parse_info(std::string_view body);

struct ContainerEvent {
    std::string action;  // "start", "die", "health_status: healthy"
    std::string id;
    std::string name;
};
// A line of GET /events
[[nodiscard]] ContainerEvent parse_event(const boost::json::object& line);

// GET /networks: whether one has exactly this name (the engine's own filter takes parts of names).
[[nodiscard]] Result<bool> has_network(std::string_view body, std::string_view name);

// The same list's ids.
[[nodiscard]] Result<std::vector<std::string>> network_ids(std::string_view body);

struct Version {
    std::string server;  // "20.10.24"
    std::string api;     // "1.41"
    std::string oldest_api;
    bool operator==(const Version&) const = default;
};
// GET /version
[[nodiscard]] Result<Version> parse_version(std::string_view body);
// The version to speak: 1.41 if the engine can, else the one of its own that is nearest.
[[nodiscard]] std::string api_to_speak(const Version& version);

}  // namespace skerry::engine::moby
