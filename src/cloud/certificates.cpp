#include "cloud/certificates.hpp"

#include "base/log.hpp"
#include "crypto/crypto.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>

namespace skerry::cloud {

namespace {
constexpr auto day = std::chrono::hours(24);
constexpr auto ca_lifetime = day * 3650;
constexpr auto server_lifetime = day * 730;

struct Authority {
    std::string certificate;
    std::string key;
};

bool is_ip_address(const std::string& name) {
    in6_addr address{};
    return ::inet_pton(AF_INET, name.c_str(), &address) == 1 || ::inet_pton(AF_INET6, name.c_str(), &address) == 1;
}

bool is_any_address(const std::string& name) { return name.empty() || name == "0.0.0.0" || name == "::"; }

// The certificate is written last: it is there only when its key is.
Result<Authority> make_authority(storage::Files& files, const std::filesystem::path& folder, WallTime now) {
    auto key = crypto::generate_private_key_pem(crypto::KeyKind::p256);
    if (!key) return fail(key.error());
    crypto::CertificateRequest request;
    request.common_name = "Skerry cloud CA";
    request.is_ca = true;
    request.not_before = now - day;
    request.not_after = now + ca_lifetime;
    auto certificate = crypto::self_signed_certificate(request, *key);
    if (!certificate) return fail(certificate.error());
    if (auto kept = storage::replace_file(files, folder / ca_key_file, *key); !kept) return fail(kept.error());
    if (auto kept = storage::replace_file(files, folder / ca_certificate_file, *certificate, 0644); !kept)
        return fail(kept.error());
    log::info("made the cloud's certificate authority: '{}'", (folder / ca_certificate_file).native());
    return Authority{std::move(*certificate), std::move(*key)};
}

Result<Authority> load_authority(storage::Files& files, const std::filesystem::path& folder, WallTime now) {
    const auto path = folder / ca_certificate_file;
    if (!files.exists(path)) return make_authority(files, folder, now);
    auto certificate = storage::read_file(files, path);
    if (!certificate) return fail(certificate.error());
    auto key = storage::read_file(files, folder / ca_key_file);
    if (!key) return fail(key.error());
    if (auto fits = crypto::key_matches_certificate(*key, *certificate); !fits)
        return fail(fits.error().while_doing(
            fmt::format("the authority in '{}' (restore ca.pem and ca.key.pem, or remove both to make a new one)",
                        folder.native())));
    return Authority{std::move(*certificate), std::move(*key)};
}
}  // namespace

Result<ServerIdentity> prepare_certificates(storage::Files& files, const std::filesystem::path& folder,
                                            const std::vector<std::string>& names, WallTime now) {
    const auto authority = load_authority(files, folder, now);
    if (!authority) return fail(authority.error());
    auto key = crypto::generate_private_key_pem(crypto::KeyKind::p256);
    if (!key) return fail(key.error());
    crypto::CertificateRequest request;
    request.server_auth = true;
    request.not_before = now - day;
    request.not_after = now + server_lifetime;
    for (const auto& name : names) {
        if (is_any_address(name)) continue;
        if (request.common_name.empty()) request.common_name = name;
        (is_ip_address(name) ? request.ip_addresses : request.dns_names).push_back(name);
    }
    const auto certificate = crypto::issue_certificate(request, *key, authority->certificate, authority->key);
    if (!certificate) return fail(certificate.error().while_doing("issuing the server's certificate"));
    return ServerIdentity{*certificate + authority->certificate, std::move(*key)};
}

}  // namespace skerry::cloud
