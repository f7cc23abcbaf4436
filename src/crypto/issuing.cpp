// Issuing certificates: subject, validity, the extensions that verifiers look at, signature.
#include "crypto/crypto.hpp"
#include "crypto/openssl.hpp"

#include <openssl/pem.h>
#include <openssl/rand.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace skerry::crypto {

namespace {
constexpr std::size_t longest_common_name = 64;  // RFC 5280, ub-common-name

std::string cut_common_name(const std::string& name) {
    auto size = std::min(name.size(), longest_common_name);
    while (size > 0 && size < name.size() && (static_cast<unsigned char>(name[size]) & 0xc0) == 0x80) --size;
    return name.substr(0, size);
}

bool set_subject(X509* certificate, const std::string& common_name) {
    const auto name = cut_common_name(common_name);
    return name.empty() ||
           X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", V_ASN1_UTF8STRING,
                                      bytes_of(std::string_view(name)), static_cast<int>(name.size()), -1, 0) == 1;
}

bool set_random_serial(X509* certificate) {
    std::array<unsigned char, 16> bytes{};
    if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
    bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);  // positive, and always 16 bytes
    BIGNUM* number = BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr);
    const bool done = number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
    BN_free(number);
    return done;
}

// The issuer's own limits win: a chain whose leaf outlives its root is refused by some verifiers.
bool set_validity(X509* certificate, const CertificateRequest& request, X509* issuer) {
    const auto before = static_cast<time_t>(unix_seconds(request.not_before));
    const auto after = static_cast<time_t>(unix_seconds(request.not_after));
    if (ASN1_TIME_set(X509_getm_notBefore(certificate), before) == nullptr ||
        ASN1_TIME_set(X509_getm_notAfter(certificate), after) == nullptr)
        return false;
    if (issuer == certificate) return true;
    if (ASN1_TIME_compare(X509_get0_notBefore(certificate), X509_get0_notBefore(issuer)) < 0 &&
        X509_set1_notBefore(certificate, X509_get0_notBefore(issuer)) != 1)
        return false;
    return ASN1_TIME_compare(X509_get0_notAfter(certificate), X509_get0_notAfter(issuer)) <= 0 ||
           X509_set1_notAfter(certificate, X509_get0_notAfter(issuer)) == 1;
}

bool add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const OwnedExtension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
    return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_name(GENERAL_NAMES* names, int kind, const std::string& value) {
    ASN1_STRING* text = nullptr;
    if (kind == GEN_IPADD) {
        text = a2i_IPADDRESS(value.c_str());
    } else {
        text = ASN1_IA5STRING_new();
        if (text != nullptr) ASN1_STRING_set(text, value.data(), static_cast<int>(value.size()));
    }
    if (text == nullptr) return false;
    GENERAL_NAME* name = GENERAL_NAME_new();
    if (name == nullptr) {
        ASN1_STRING_free(text);
        return false;
    }
    GENERAL_NAME_set0_value(name, kind, text);
    if (sk_GENERAL_NAME_push(names, name) > 0) return true;
    GENERAL_NAME_free(name);
    return false;
}

Result<> add_alternative_names(X509* certificate, const CertificateRequest& request) {
    auto dns_names = request.dns_names;
    const bool cut = request.common_name.size() > longest_common_name;
    if (cut && std::ranges::find(dns_names, request.common_name) == dns_names.end())
        dns_names.push_back(request.common_name);
    if (dns_names.empty() && request.ip_addresses.empty() && request.uris.empty()) return {};

    const OwnedNames names(GENERAL_NAMES_new());
    if (!names) return fail(openssl_error(Errc::internal, "making a certificate"));
    for (const auto& dns : dns_names)
        if (!add_name(names.get(), GEN_DNS, dns)) return fail(openssl_error(Errc::internal, "adding a DNS name"));
    for (const auto& uri : request.uris)
        if (!add_name(names.get(), GEN_URI, uri)) return fail(openssl_error(Errc::internal, "adding a URI"));
    for (const auto& ip : request.ip_addresses)
        if (!add_name(names.get(), GEN_IPADD, ip))
            return fail(openssl_error(Errc::malformed, fmt::format("'{}' is not an IP address", ip)));
    if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) != 1)
        return fail(openssl_error(Errc::internal, "adding the subject's alternative names"));
    return {};
}

bool add_constraints(X509* certificate, X509* issuer, const CertificateRequest& request) {
    std::string constraints = "critical,CA:FALSE";
    if (request.is_ca)
        constraints = request.path_length < 0 ? "critical,CA:TRUE"
                                              : fmt::format("critical,CA:TRUE,pathlen:{}", request.path_length);
    const auto* usage =
        request.is_ca ? "critical,digitalSignature,keyCertSign,cRLSign" : "critical,digitalSignature,keyEncipherment";
    std::string purposes;
    if (request.server_auth) purposes = "serverAuth";
    if (request.client_auth) purposes += purposes.empty() ? "clientAuth" : ",clientAuth";
    return add_extension(certificate, issuer, NID_basic_constraints, constraints) &&
           add_extension(certificate, issuer, NID_key_usage, usage) &&
           (purposes.empty() || add_extension(certificate, issuer, NID_ext_key_usage, purposes)) &&
           add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
           add_extension(certificate, issuer, NID_authority_key_identifier, "keyid");
}

bool sign(X509* certificate, EVP_PKEY* key) {
    const auto kind = EVP_PKEY_get_base_id(key);
    const bool digests_itself = kind == EVP_PKEY_ED25519 || kind == EVP_PKEY_ED448;
    return X509_sign(certificate, key, digests_itself ? nullptr : EVP_sha256()) > 0;
}

// `issuer` null: signed with its own key.
Result<std::string> issue(const CertificateRequest& request, EVP_PKEY* subject_key, X509* issuer,
                          EVP_PKEY* issuer_key) {
    if (request.not_after <= request.not_before)
        return fail(Errc::malformed, "the certificate would end before it begins");
    const OwnedCertificate certificate(X509_new());
    X509* made = certificate.get();
    if (issuer == nullptr) issuer = made;
    const bool begun = made != nullptr && X509_set_version(made, X509_VERSION_3) == 1 && set_random_serial(made) &&
                       set_subject(made, request.common_name) &&
                       X509_set_issuer_name(made, X509_get_subject_name(issuer)) == 1 &&
                       set_validity(made, request, issuer) && X509_set_pubkey(made, subject_key) == 1;
    if (!begun) return fail(openssl_error(Errc::internal, "making a certificate"));
    if (auto named = add_alternative_names(made, request); !named) return fail(named.error());
    if (!add_constraints(made, issuer, request) || !sign(made, issuer_key))
        return fail(openssl_error(Errc::internal, "signing a certificate"));

    const OwnedBio bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_X509(bio.get(), made) != 1)
        return fail(openssl_error(Errc::internal, "writing a certificate"));
    return content_of(bio.get());
}
}  // namespace

Result<std::string> issue_certificate(const CertificateRequest& request, std::string_view subject_key_pem,
                                      std::string_view issuer_certificate_pem, std::string_view issuer_key_pem) {
    const auto subject_key = read_private_key(subject_key_pem);
    if (!subject_key) return fail(subject_key.error().while_doing("reading the subject's key"));
    const auto issuer = read_certificate(issuer_certificate_pem);
    if (!issuer) return fail(issuer.error().while_doing("reading the issuer's certificate"));
    const auto issuer_key = read_private_key(issuer_key_pem);
    if (!issuer_key) return fail(issuer_key.error().while_doing("reading the issuer's key"));
    if (X509_check_private_key(issuer->get(), issuer_key->get()) != 1)
        return fail(openssl_error(Errc::malformed, "the issuer's key does not belong to its certificate"));
    return issue(request, subject_key->get(), issuer->get(), issuer_key->get());
}

Result<std::string> self_signed_certificate(const CertificateRequest& request, std::string_view key_pem) {
    const auto key = read_private_key(key_pem);
    if (!key) return fail(key.error());
    return issue(request, key->get(), nullptr, key->get());
}

}  // namespace skerry::crypto
