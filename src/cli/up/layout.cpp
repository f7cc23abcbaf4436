#include "cli/up/layout.hpp"

#include "cli/up/world.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <cstdlib>

namespace skerry::cli {

namespace json = boost::json;

std::filesystem::path default_root() {
    if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0')
        return std::filesystem::path(state) / "skerry";
    const char* home = std::getenv("HOME");
    return std::filesystem::path(home != nullptr ? home : "/var/lib") / ".local/state/skerry";
}

namespace {
// docs/formats/bundle.md
Result<> write_bundle(storage::Files& files, const std::filesystem::path& folder, json::array entrypoint) {
    if (auto made = files.make_folders(folder, 0700); !made) return made;
    const json::object config{{"config", {{"Entrypoint", std::move(entrypoint)}}}};
    return storage::replace_file(files, folder / "config.json", json::serialize(config));
}

// A TOML basic string.
std::string toml_string(std::string_view text) {
    std::string out = "\"";
    for (const char character : text) {
        if (character == '"' || character == '\\') out.push_back('\\');
        out.push_back(character);
    }
    return out + '"';
}

json::object module(std::string_view image, std::string_view status, json::object env) {
    return {{"type", "docker"},
            {"status", status},
            {"restartPolicy", "always"},
            {"settings", {{"image", image}, {"createOptions", "{}"}}},
            {"env", std::move(env)}};
}

json::object variable(std::string_view value) { return {{"value", value}}; }

json::object agent_desired(const Layout& layout, std::string_view sensor_status) {
    auto agent = module("skerry/agent:latest", "running", {});
    auto hub = module("skerry/hub:latest", "running", {{"SKERRY_LISTEN", variable(hub_address)}});
    auto sensor =
        module("skerry/sensor:latest", sensor_status, {{"SKERRY_LEDGER", variable(layout.sensor_ledger().native())}});
    auto filter =
        module("skerry/filter:latest", "running", {{"SKERRY_LEDGER", variable(layout.filter_ledger().native())}});
    sensor["startupOrder"] = 2;
    filter["startupOrder"] = 1;
    hub["startupOrder"] = 0;
    agent.erase("status");
    agent.erase("restartPolicy");
    return {{"schemaVersion", "1.1"},
            {"runtime", {{"type", "docker"}, {"settings", {{"minDockerVersion", ""}, {"loggingOptions", ""}}}}},
            {"systemModules", {{"edgeAgent", std::move(agent)}, {"edgeHub", std::move(hub)}}},
            {"modules", {{"sensor", std::move(sensor)}, {"filter", std::move(filter)}}}};
}

json::object hub_desired() {
    return {{"schemaVersion", "1.1"},
            {"routes",
             {{"sensorToFilter",
               "FROM /messages/modules/sensor/outputs/temperatureOutput INTO "
               "BrokeredEndpoint(\"/modules/filter/inputs/input1\")"},
              {"filterToCloud", "FROM /messages/modules/filter/outputs/output1 INTO $upstream"}}},
            {"storeAndForwardConfiguration", {{"timeToLiveSecs", 7200}}}};
}

json::object properties(json::object desired) { return {{"properties.desired", std::move(desired)}}; }
}  // namespace

Result<> write_bundles(storage::Files& files, const Layout& layout, const std::filesystem::path& executable) {
    const auto samples = executable.parent_path() / "modules";
    const std::string skerry = executable.native();
    const std::pair<const char*, json::array> bundles[] = {
        {"agent", {skerry, "agent"}},
        {"hub", {skerry, "hub"}},
        {"sensor", {(samples / "sensor").native()}},
        {"filter", {(samples / "filter").native()}},
    };
    for (const auto& [name, entrypoint] : bundles) {
        auto written = write_bundle(files, layout.bundles() / "skerry" / name, entrypoint);
        if (!written) return fail(written.error().while_doing(std::string("writing the bundle of ") + name));
    }
    for (const auto& ledger : {layout.sensor_ledger(), layout.filter_ledger()})
        if (auto emptied = storage::replace_file(files, ledger, ""); !emptied) return emptied;
    return {};
}

Result<> write_config(storage::Files& files, const Layout& layout, std::string_view connection_string,
                      const std::filesystem::path& ca_certificate) {
    const auto management = toml_string("unix://" + layout.management_socket().native());
    return storage::replace_file(
        files, layout.config(),
        fmt::format("# Written by `skerry up`.\n"
                    "hostname = {}\n"
                    "trust_bundle_cert = {}\n\n"
                    "[provisioning]\nsource = \"manual\"\nconnection_string = {}\n\n"
                    "[agent]\nname = \"edgeAgent\"\ntype = \"docker\"\n\n"
                    "[agent.config]\nimage = \"skerry/agent:latest\"\n\n"
                    "[connect]\nmanagement_uri = {}\n\n[listen]\nmanagement_uri = {}\n\n"
                    "[skerry]\nhome = {}\n\n[skerry.engine]\ntype = \"process\"\nbundles = {}\n",
                    toml_string(hub_address), toml_string("file://" + ca_certificate.native()),
                    toml_string(connection_string), management, management, toml_string(layout.edge().native()),
                    toml_string(layout.bundles().native())));
}

json::object deployment(const Layout& layout, std::string_view sensor_status) {
    return {{"modulesContent",
             {{"$edgeAgent", properties(agent_desired(layout, sensor_status))},
              {"$edgeHub", properties(hub_desired())},
              {"sensor", properties({{"SendInterval", 0.1}, {"SendData", true}})},
              {"filter", properties({{"TemperatureThreshold", 25}})}}}};
}

}  // namespace skerry::cli
