// Reading certificates and following chains to a root.
#include "crypto/crypto.hpp"
#include "crypto/openssl.hpp"

#include "base/encoding.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ctime>

namespace skerry::crypto {

namespace {
constexpr std::size_t most_certificates = 1024;  // in one text: a system's whole trust store has a few hundred

using OwnedStore = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;
using OwnedStoreContext = std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>>;

void free_stack(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }
using OwnedStack = std::unique_ptr<STACK_OF(X509), FreeWith<free_stack>>;

WallTime time_of(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
    // "No well-defined expiration" is the year 9999, which a WallTime of nanoseconds can't hold.
    constexpr int last_year = 2261;
    if (parts.tm_year + 1900 > last_year) return WallTime::max();
    return std::chrono::system_clock::from_time_t(timegm(&parts));
}

std::string thumbprint(const X509* certificate, const EVP_MD* digest) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned int size = 0;
    if (X509_digest(certificate, digest, bytes.data(), &size) != 1) return {};
    auto text = hex_encode(std::string_view(reinterpret_cast<const char*>(bytes.data()), size));
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

std::string common_name_of(X509* certificate) {
    auto* subject = X509_get_subject_name(certificate);
    const auto at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) return {};
    unsigned char* text = nullptr;
    const auto size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) return {};
    std::string name(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
    OPENSSL_free(text);
    return name;
}

std::vector<std::string> dns_names_of(X509* certificate) {
    std::vector<std::string> found;
    const OwnedNames names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    if (!names) return found;
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const auto* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_DNS) continue;
        const auto* text = name->d.dNSName;
        found.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                           static_cast<std::size_t>(ASN1_STRING_length(text)));
    }
    return found;
}

Result<OwnedStore> store_of(std::string_view roots_pem, WallTime now) {
    const auto roots = split_certificates(roots_pem);
    if (!roots) return fail(roots.error().while_doing("reading the trusted certificates"));
    OwnedStore store(X509_STORE_new());
    if (!store) return fail(openssl_error(Errc::internal, "making a store of trusted certificates"));
    for (const auto& pem : *roots) {
        const auto root = read_certificate(pem);
        if (!root) return fail(root.error());
        if (X509_STORE_add_cert(store.get(), root->get()) != 1)
            return fail(openssl_error(Errc::internal, "trusting a certificate"));
    }
    auto* parameters = X509_STORE_get0_param(store.get());
    X509_VERIFY_PARAM_set_time(parameters, static_cast<time_t>(unix_seconds(now)));
    // What the caller trusts may be an intermediate: the chain may end there.
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_PARTIAL_CHAIN);
    return store;
}
}  // namespace

Result<Certificate> parse_certificate(std::string_view pem) {
    const auto read = read_certificate(pem);
    if (!read) return fail(read.error());
    auto* certificate = read->get();
    Certificate parsed;
    parsed.common_name = common_name_of(certificate);
    parsed.dns_names = dns_names_of(certificate);
    parsed.not_before = time_of(X509_get0_notBefore(certificate));
    parsed.not_after = time_of(X509_get0_notAfter(certificate));
    parsed.is_ca = X509_check_ca(certificate) == 1;
    parsed.sha1_thumbprint = thumbprint(certificate, EVP_sha1());
    parsed.sha256_thumbprint = thumbprint(certificate, EVP_sha256());
    ERR_clear_error();
    return parsed;
}

Result<std::vector<std::string>> split_certificates(std::string_view pem) {
    constexpr std::string_view begin = "-----BEGIN CERTIFICATE-----";
    constexpr std::string_view end = "-----END CERTIFICATE-----";
    std::vector<std::string> found;
    for (auto from = pem.find(begin); from != std::string_view::npos; from = pem.find(begin, from)) {
        const auto to = pem.find(end, from);
        if (to == std::string_view::npos)
            return fail(Errc::malformed, fmt::format("certificate {} in the text has no end", found.size() + 1));
        if (found.size() == most_certificates)
            return fail(Errc::full, fmt::format("more than {} certificates in one text", most_certificates));
        auto one = std::string(pem.substr(from, to + end.size() - from)) + '\n';
        if (auto valid = read_certificate(one); !valid)
            return fail(valid.error().while_doing(fmt::format("reading certificate {}", found.size() + 1)));
        found.push_back(std::move(one));
        from = to;
    }
    return found;
}

Result<> verify_chain(const std::vector<std::string>& chain_pem, std::string_view roots_pem, WallTime now) {
    if (chain_pem.empty()) return fail(Errc::malformed, "the chain has no certificate");
    const auto store = store_of(roots_pem, now);
    if (!store) return fail(store.error());
    const auto leaf = read_certificate(chain_pem.front());
    if (!leaf) return fail(leaf.error());
    const OwnedStack others(sk_X509_new_null());
    for (std::size_t i = 1; i < chain_pem.size(); ++i) {
        auto certificate = read_certificate(chain_pem[i]);
        if (!certificate) return fail(certificate.error());
        if (sk_X509_push(others.get(), certificate->get()) > 0) static_cast<void>(certificate->release());
    }

    const OwnedStoreContext context(X509_STORE_CTX_new());
    if (!context || X509_STORE_CTX_init(context.get(), store->get(), leaf->get(), others.get()) != 1)
        return fail(openssl_error(Errc::internal, "verifying a chain"));
    if (X509_verify_cert(context.get()) == 1) return {};
    auto* culprit = X509_STORE_CTX_get_current_cert(context.get());
    const auto name = culprit == nullptr ? std::string() : common_name_of(culprit);
    const auto* reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
    ERR_clear_error();
    return fail(Errc::unauthorized, fmt::format("the certificate '{}' is not trusted: {}", name, reason));
}

}  // namespace skerry::crypto
