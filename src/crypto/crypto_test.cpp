#include "crypto/crypto.hpp"

#include "base/encoding.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace skerry;
using namespace skerry::crypto;
using namespace std::chrono_literals;

namespace {
std::string from_hex(std::string_view text) { return hex_decode(text).value(); }

const WallTime now = parse_rfc3339("2026-01-15T12:00:00Z").value();

CertificateRequest request_of(std::string name) {
    CertificateRequest request;
    request.common_name = std::move(name);
    request.not_before = now - 1h;
    request.not_after = now + 24h * 30;
    return request;
}

struct Authority {
    std::string key;
    std::string certificate;
};

Authority make_root(std::string name = "test root") {
    Authority root;
    root.key = generate_private_key_pem(KeyKind::p256).value();
    auto request = request_of(std::move(name));
    request.is_ca = true;
    request.path_length = 1;
    root.certificate = self_signed_certificate(request, root.key).value();
    return root;
}

Authority make_intermediate(const Authority& root) {
    Authority made;
    made.key = generate_private_key_pem(KeyKind::p256).value();
    auto request = request_of("test intermediate");
    request.is_ca = true;
    made.certificate = issue_certificate(request, made.key, root.certificate, root.key).value();
    return made;
}
}  // namespace

TEST_CASE("SHA-256 gives the digest of FIPS 180-4's example") {
    CHECK(hex_encode(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hex_encode(sha256("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("HMAC-SHA-256 gives the vectors of RFC 4231") {
    CHECK(hex_encode(hmac_sha256(std::string(20, '\x0b'), "Hi There")) ==
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK(hex_encode(hmac_sha256("Jefe", "what do ya want for nothing?")) ==
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(hex_encode(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")) ==
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    CHECK(hex_encode(hmac_sha256("", "")) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("constant-time comparison tells equal from different, lengths included") {
    CHECK(equal_in_constant_time("abc", "abc"));
    CHECK(equal_in_constant_time("", ""));
    CHECK_FALSE(equal_in_constant_time("abc", "abd"));
    CHECK_FALSE(equal_in_constant_time("abc", "ab"));
}

TEST_CASE("AES-256-GCM gives the vectors of the GCM specification") {
    // Test cases 14 and 16 of McGrew and Viega.
    const auto zeros = [](std::size_t count) { return std::string(count, '\0'); };
    CHECK(hex_encode(aes_gcm_encrypt(zeros(32), zeros(12), "", zeros(16)).value()) ==
          "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    const auto key = from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    const auto iv = from_hex("cafebabefacedbaddecaf888");
    const auto aad = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    const auto text = from_hex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
    const auto sealed = aes_gcm_encrypt(key, iv, aad, text).value();
    CHECK(hex_encode(sealed) ==
          "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
          "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
          "76fc6ece0f4e1768cddf8853bb2d551b");
    CHECK(aes_gcm_decrypt(key, iv, aad, sealed).value() == text);
}

TEST_CASE("a changed ciphertext, vector, additional data or key is refused") {
    const std::string key(32, 'k');
    const auto sealed = aes_gcm_encrypt(key, "any length of vector", "data", "secret").value();
    CHECK(aes_gcm_decrypt(key, "any length of vector", "data", sealed).value() == "secret");
    auto changed = sealed;
    changed[0] = static_cast<char>(changed[0] ^ 1);
    CHECK(aes_gcm_decrypt(key, "any length of vector", "data", changed).error().code == Errc::unauthorized);
    CHECK(aes_gcm_decrypt(key, "other", "data", sealed).error().code == Errc::unauthorized);
    CHECK(aes_gcm_decrypt(key, "any length of vector", "", sealed).error().code == Errc::unauthorized);
    CHECK(aes_gcm_decrypt(std::string(32, 'x'), "any length of vector", "data", sealed).error().code ==
          Errc::unauthorized);
    CHECK(aes_gcm_decrypt(key, "v", "", "short").error().code == Errc::malformed);
    CHECK(aes_gcm_encrypt("short key", "v", "", "text").error().code == Errc::malformed);
    CHECK(aes_gcm_encrypt(key, "", "", "text").error().code == Errc::malformed);
    CHECK(aes_gcm_decrypt(key, "v", "", aes_gcm_encrypt(key, "v", "", "").value()).value().empty());
}

TEST_CASE("a chain of root, intermediate and leaf leads to the root and to nothing else") {
    const auto root = make_root();
    const auto middle = make_intermediate(root);
    const auto key = generate_private_key_pem(KeyKind::rsa2048).value();
    auto request = request_of("edge-host");
    request.dns_names = {"edge-host", "edge.local"};
    request.ip_addresses = {"127.0.0.11", "::1"};
    request.uris = {"URI://module"};
    request.server_auth = true;
    const auto leaf = issue_certificate(request, key, middle.certificate, middle.key).value();

    CHECK(verify_chain({leaf, middle.certificate}, root.certificate, now));
    CHECK(verify_chain({leaf, middle.certificate, root.certificate}, root.certificate, now));
    CHECK(verify_chain({leaf}, middle.certificate, now));
    CHECK(verify_chain({leaf, middle.certificate}, make_root("another").certificate + root.certificate, now));
    CHECK(verify_chain({leaf}, root.certificate, now).error().code == Errc::unauthorized);
    CHECK(verify_chain({leaf, middle.certificate}, make_root().certificate, now).error().code == Errc::unauthorized);
    const auto late = verify_chain({leaf, middle.certificate}, root.certificate, now + 24h * 31);
    CHECK(late.error().code == Errc::unauthorized);
    CHECK(verify_chain({}, root.certificate, now).error().code == Errc::malformed);
}

TEST_CASE("a CA of path length 0 can't make further CAs") {
    const auto root = make_root();
    const auto middle = make_intermediate(root);
    const auto key = generate_private_key_pem(KeyKind::p256).value();
    auto request = request_of("one too many");
    request.is_ca = true;
    const auto below = issue_certificate(request, key, middle.certificate, middle.key).value();
    const auto leaf_key = generate_private_key_pem(KeyKind::p256).value();
    const auto leaf = issue_certificate(request_of("leaf"), leaf_key, below, key).value();
    CHECK(verify_chain({leaf, below, middle.certificate}, root.certificate, now).error().code == Errc::unauthorized);
}

TEST_CASE("a certificate says who it is for") {
    const auto root = make_root();
    const auto key = generate_private_key_pem(KeyKind::p256).value();
    auto request = request_of("d1");
    request.dns_names = {"d1", "d1.example"};
    request.client_auth = true;
    const auto pem = issue_certificate(request, key, root.certificate, root.key).value();
    const auto parsed = parse_certificate(pem).value();
    CHECK(parsed.common_name == "d1");
    CHECK(parsed.dns_names == std::vector<std::string>{"d1", "d1.example"});
    CHECK(parsed.not_before == request.not_before);
    CHECK(parsed.not_after == request.not_after);
    CHECK_FALSE(parsed.is_ca);
    CHECK(parse_certificate(root.certificate).value().is_ca);
    CHECK(parsed.sha1_thumbprint.size() == 40);
    CHECK(parsed.sha256_thumbprint.size() == 64);
    CHECK(key_matches_certificate(key, pem));
    CHECK(key_matches_certificate(root.key, pem).error().code == Errc::malformed);
}

TEST_CASE("the SHA-256 thumbprint is the digest of the DER form") {
    const auto root = make_root();
    auto der = root.certificate.substr(root.certificate.find('\n') + 1);
    der.resize(der.find("-----END"));
    std::erase(der, '\n');
    const auto expected = hex_encode(sha256(base64_decode(der).value()));
    CHECK(equals_ignoring_case(parse_certificate(root.certificate).value().sha256_thumbprint, expected));
}

TEST_CASE("a certificate never outlives its issuer") {
    const auto root = make_root();
    const auto key = generate_private_key_pem(KeyKind::p256).value();
    auto request = request_of("eternal");
    request.not_before = now - 24h * 365;
    request.not_after = now + 24h * 365;
    const auto made = parse_certificate(issue_certificate(request, key, root.certificate, root.key).value()).value();
    const auto issuer = parse_certificate(root.certificate).value();
    CHECK(made.not_before == issuer.not_before);
    CHECK(made.not_after == issuer.not_after);
    std::swap(request.not_before, request.not_after);
    CHECK(issue_certificate(request, key, root.certificate, root.key).error().code == Errc::malformed);
}

TEST_CASE("a common name over 64 bytes is cut in the subject and whole in the alternative names") {
    const auto key = generate_private_key_pem(KeyKind::p256).value();
    const std::string name(100, 'n');
    const auto made = parse_certificate(self_signed_certificate(request_of(name), key).value()).value();
    CHECK(made.common_name == std::string(64, 'n'));
    CHECK(made.dns_names == std::vector<std::string>{name});
}

TEST_CASE("a text of several certificates is split, a broken one refused by its number") {
    const auto first = make_root("first").certificate;
    const auto second = make_root("second").certificate;
    const auto both = split_certificates("some comment\n" + first + "\nmore\n" + second).value();
    REQUIRE(both.size() == 2);
    CHECK(parse_certificate(both[1]).value().common_name == "second");
    CHECK(split_certificates("").value().empty());
    const auto broken = split_certificates(first + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    CHECK(broken.error().code == Errc::malformed);
    CHECK(broken.error().text.find("certificate 2") != std::string::npos);
    CHECK(split_certificates(first + "-----BEGIN CERTIFICATE-----\nAAAA").error().code == Errc::malformed);
}

TEST_CASE("what is no key, no certificate or no address is refused with its name") {
    CHECK(parse_certificate("nonsense").error().code == Errc::malformed);
    CHECK(self_signed_certificate(request_of("x"), "nonsense").error().code == Errc::malformed);
    const auto key = generate_private_key_pem(KeyKind::p256).value();
    auto request = request_of("x");
    request.ip_addresses = {"127.0.0.999"};
    const auto made = self_signed_certificate(request, key);
    CHECK(made.error().code == Errc::malformed);
    CHECK(made.error().text.find("127.0.0.999") != std::string::npos);
}
