#include "daemon/edge_ca.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "crypto/crypto.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <vector>

namespace skerry::daemon {

using namespace std::chrono_literals;

struct LeafNames {
    bool server{false};
    std::vector<std::string> dns;
    std::vector<std::string> addresses;
    std::vector<std::string> uris;
};

namespace {
constexpr auto day = std::chrono::hours(24);
constexpr auto usual_leaf_life = 30 * day;
constexpr auto clock_tolerance = 5min;  // devices whose clock is a little behind accept a new certificate

bool is_ip_address(const std::string& name) {
    std::array<unsigned char, sizeof(in6_addr)> parsed{};
    return ::inet_pton(AF_INET, name.c_str(), parsed.data()) == 1 ||
           ::inet_pton(AF_INET6, name.c_str(), parsed.data()) == 1;
}

// A module's id as a DNS label, where it can be one.
std::optional<std::string> dns_name_of(std::string_view module_id) {
    if (module_id.starts_with('$')) module_id.remove_prefix(1);
    const bool usable =
        !module_id.empty() && module_id.size() <= 63 && std::ranges::all_of(module_id, [](unsigned char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                   c == '_';
        });
    if (!usable) return std::nullopt;
    return to_lower(module_id);
}
}  // namespace

Result<EdgeCa> EdgeCa::open(storage::Files& files, Clock& clock, std::filesystem::path folder, EdgeCaConfig config,
                            std::string_view device_id) {
    if (config.common_name.empty()) config.common_name = "aziot-edge CA " + std::string(device_id);
    EdgeCa ca(files, clock, std::move(folder), std::move(config));
    if (ca.config_.certificate) {
        if (const auto loaded = ca.load(*ca.config_.certificate, *ca.config_.key); !loaded)
            return fail(loaded.error().while_doing("edge_ca"));
        return ca;
    }
    if (const auto made = files.make_folders(ca.folder_, 0700); !made) return std::unexpected(made.error());
    const auto loaded = ca.load(ca.folder_ / "edge-ca.pem", ca.folder_ / "edge-ca.key.pem");
    if (const auto former = storage::read_file(files, ca.folder_ / "edge-ca.former.pem")) ca.former_pem_ = *former;
    if (loaded && ca.not_after_ > clock.wall()) return ca;
    if (!loaded && loaded.error().code != Errc::not_found)
        log::error("the Edge CA can't be used and is made anew: {}", loaded.error().text);
    auto key = crypto::generate_private_key_pem(crypto::KeyKind::p256);
    if (!key) return fail(key.error().while_doing("making the Edge CA's key"));
    if (const auto made = ca.make(std::move(*key)); !made) return fail(made.error().while_doing("making the Edge CA"));
    return ca;
}

Result<> EdgeCa::load(const std::filesystem::path& certificate, const std::filesystem::path& key) {
    auto certificate_pem = storage::read_file(*files_, certificate);
    if (!certificate_pem) return std::unexpected(certificate_pem.error());
    auto key_pem = storage::read_file(*files_, key);
    if (!key_pem) return std::unexpected(key_pem.error());
    const auto parsed = crypto::parse_certificate(*certificate_pem);
    if (!parsed) return fail(parsed.error().while_doing(certificate.native()));
    if (!parsed->is_ca) return fail(Errc::malformed, certificate.native() + ": is not a certificate authority");
    if (const auto fits = crypto::key_matches_certificate(*key_pem, *certificate_pem); !fits)
        return fail(fits.error().while_doing(key.native()));
    certificate_pem_ = std::move(*certificate_pem);
    key_pem_ = std::move(*key_pem);
    not_before_ = parsed->not_before;
    not_after_ = parsed->not_after;
    return {};
}

// The key first: a certificate never lies there without its key.
Result<> EdgeCa::make(std::string key_pem) {
    crypto::CertificateRequest request;
    request.common_name = config_.common_name;
    request.is_ca = true;
    request.not_before = clock_->wall() - clock_tolerance;
    request.not_after = clock_->wall() + config_.days * day;
    const auto certificate = crypto::self_signed_certificate(request, key_pem);
    if (!certificate) return std::unexpected(certificate.error());
    if (const auto saved = storage::replace_file(*files_, folder_ / "edge-ca.key.pem", key_pem); !saved) return saved;
    if (const auto saved = storage::replace_file(*files_, folder_ / "edge-ca.pem", *certificate, 0644); !saved)
        return saved;
    certificate_pem_ = *certificate;
    key_pem_ = std::move(key_pem);
    not_before_ = request.not_before;
    not_after_ = request.not_after;
    return {};
}

Result<> EdgeCa::renew() {
    auto key =
        config_.rotate_key ? crypto::generate_private_key_pem(crypto::KeyKind::p256) : Result<std::string>(key_pem_);
    if (!key) return std::unexpected(key.error());
    const auto former = certificate_pem_;
    if (const auto saved = storage::replace_file(*files_, folder_ / "edge-ca.former.pem", former, 0644); !saved)
        return saved;
    if (const auto made = make(std::move(*key)); !made) return made;
    former_pem_ = former;
    return {};
}

std::optional<WallTime> EdgeCa::renewal() const {
    if (config_.certificate) return std::nullopt;
    return not_before_ + (not_after_ - not_before_) / 100 * config_.renew_at_percent;
}

std::string EdgeCa::bundle() const {
    auto out = certificate_pem_;
    if (former_pem_.empty()) return out;
    const auto former = crypto::parse_certificate(former_pem_);
    if (former && former->not_after > clock_->wall()) out += former_pem_;
    return out;
}

Result<IssuedCertificate> EdgeCa::issue(std::string_view common_name, std::optional<WallTime> wanted,
                                        const LeafNames& names) const {
    auto key = crypto::generate_private_key_pem(crypto::KeyKind::p256);
    if (!key) return std::unexpected(key.error());
    crypto::CertificateRequest request;
    request.common_name = common_name;
    request.dns_names = names.dns;
    request.ip_addresses = names.addresses;
    request.uris = names.uris;
    request.server_auth = names.server;
    request.client_auth = !names.server;
    const auto now = clock_->wall();
    request.not_before = std::max(now - clock_tolerance, not_before_);
    request.not_after = std::min(wanted.value_or(now + usual_leaf_life), not_after_);
    if (request.not_after <= now)
        return fail(Errc::malformed, not_after_ <= now ? "the Edge CA has expired" : "the wanted expiration is past");
    const auto leaf = crypto::issue_certificate(request, *key, certificate_pem_, key_pem_);
    if (!leaf) return std::unexpected(leaf.error());
    return IssuedCertificate{std::move(*key), *leaf + certificate_pem_, request.not_after};
}

Result<IssuedCertificate> EdgeCa::issue_server(std::string_view common_name, std::string_view module_id,
                                               std::optional<WallTime> wanted) const {
    if (common_name.empty() || common_name.size() > 253)
        return fail(Errc::malformed, "commonName must have 1 to 253 characters");
    LeafNames names;
    names.server = true;
    const std::string dialed(common_name);
    (is_ip_address(dialed) ? names.addresses : names.dns).push_back(dialed);
    const auto own = dns_name_of(module_id);
    if (own && std::ranges::find(names.dns, *own) == names.dns.end()) names.dns.push_back(*own);
    return issue(common_name, wanted, names);
}

Result<IssuedCertificate> EdgeCa::issue_identity(std::string_view hub, std::string_view device_id,
                                                 std::string_view module_id) const {
    LeafNames names;
    std::string uri = "azureiot://";
    uri += hub;
    uri += "/devices/" + percent_encode(device_id) + "/modules/" + percent_encode(module_id);
    names.uris.push_back(std::move(uri));
    return issue(module_id, std::nullopt, names);
}

}  // namespace skerry::daemon
