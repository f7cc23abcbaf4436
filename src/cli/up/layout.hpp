// The files of a device made by `skerry up`: where everything lies, the bundles of the sample modules, the daemon's
// configuration, and the deployment.
#pragma once

#include "base/result.hpp"
#include "storage/files.hpp"

#include <boost/json/object.hpp>

#include <filesystem>
#include <string>

namespace skerry::cli {

inline constexpr const char* up_device_id = "edge-1";

struct Layout {
    std::filesystem::path root;

    [[nodiscard]] std::filesystem::path cloud() const { return root / "cloud"; }
    [[nodiscard]] std::filesystem::path admin_socket() const { return cloud() / "admin.sock"; }
    [[nodiscard]] std::filesystem::path edge() const { return root / "edge"; }
    [[nodiscard]] std::filesystem::path config() const { return root / "config.toml"; }
    [[nodiscard]] std::filesystem::path management_socket() const { return root / "mgmt.sock"; }
    [[nodiscard]] std::filesystem::path bundles() const { return root / "bundles"; }
    [[nodiscard]] std::filesystem::path sensor_ledger() const { return root / "sensor.ledger"; }
    [[nodiscard]] std::filesystem::path filter_ledger() const { return root / "filter.ledger"; }
    [[nodiscard]] std::filesystem::path log(std::string_view role) const { return root / (std::string(role) + ".log"); }
    [[nodiscard]] std::filesystem::path process_file() const { return root / "up.pid"; }
};

// `${XDG_STATE_HOME:-~/.local/state}/skerry`.
[[nodiscard]] std::filesystem::path default_root();

// The folders, the bundles (of this executable and the sample modules beside it), empty ledgers.
[[nodiscard]] Result<> write_bundles(storage::Files& files, const Layout& layout,
                                     const std::filesystem::path& executable);

[[nodiscard]] Result<> write_config(storage::Files& files, const Layout& layout, std::string_view connection_string,
                                    const std::filesystem::path& ca_certificate);

// {"modulesContent": …}: sensor -> filter -> upstream. `sensor_status` is "running" or "stopped".
[[nodiscard]] boost::json::object deployment(const Layout& layout, std::string_view sensor_status);

}  // namespace skerry::cli
