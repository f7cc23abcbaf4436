// The device's certificate authority: issues server and identity certificates for modules, and renews itself in time.
//
// Promises: a renewal keeps the key unless told otherwise, so that whoever trusts the former certificate trusts what is
//           issued after it until that one expires; both are in the trust bundle as long as both are valid.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "daemon/config.hpp"
#include "storage/files.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::daemon {

struct IssuedCertificate {
    std::string key_pem;
    std::string chain_pem;  // leaf, then the authority
    WallTime expires;
};

struct LeafNames;

class EdgeCa {
public:
    // Loads from `folder`, or makes a self-signed one; or takes the preloaded one of the configuration.
    [[nodiscard]] static Result<EdgeCa> open(storage::Files& files, Clock& clock, std::filesystem::path folder,
                                             EdgeCaConfig config, std::string_view device_id);

    // For the name a client dials (DNS or IP), and the module's own name. `wanted` is clamped to the authority's end.
    [[nodiscard]] Result<IssuedCertificate> issue_server(std::string_view common_name, std::string_view module_id,
                                                         std::optional<WallTime> wanted) const;
    [[nodiscard]] Result<IssuedCertificate> issue_identity(std::string_view hub, std::string_view device_id,
                                                           std::string_view module_id) const;

    // The valid authorities, ours first.
    [[nodiscard]] std::string bundle() const;
    // When it is to be renewed; nullopt for a preloaded one.
    [[nodiscard]] std::optional<WallTime> renewal() const;
    [[nodiscard]] Result<> renew();
    [[nodiscard]] WallTime expires() const { return not_after_; }

private:
    EdgeCa(storage::Files& files, Clock& clock, std::filesystem::path folder, EdgeCaConfig config)
        : files_(&files), clock_(&clock), folder_(std::move(folder)), config_(std::move(config)) {}
    Result<> load(const std::filesystem::path& certificate, const std::filesystem::path& key);
    Result<> make(std::string key_pem);
    Result<IssuedCertificate> issue(std::string_view common_name, std::optional<WallTime> wanted,
                                    const LeafNames& names) const;

    storage::Files* files_;
    Clock* clock_;
    std::filesystem::path folder_;
    EdgeCaConfig config_;
    std::string certificate_pem_;
    std::string key_pem_;
    std::string former_pem_;
    WallTime not_before_;
    WallTime not_after_;
};

}  // namespace skerry::daemon
