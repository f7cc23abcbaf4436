#include "crypto/signature.hpp"

#include "base/encoding.hpp"
#include "crypto/crypto.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::crypto;

namespace {
// Made with node's crypto.sign('sha256', 'the message', key).
const std::string key = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQXpG1NG+TDUfLvT/b4AXBgLXgRRB
4jel1yHFy0uR/8fiv17Sr4b7zwCp223HESaTo7Ehb0uALoskpNEDv1xLMw==
-----END PUBLIC KEY-----
)";
const std::string other_key = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKGhvt2P486LH5u0SFgynw46kULRL
6fpIrRccqMN7rVAhdJcHaptEpbEiDp2OajOgfS4gkzo/rFWKd5nk71b9AQ==
-----END PUBLIC KEY-----
)";
const std::string rsa_key = R"(-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDJPDmXESk0QF4/kh1OO5ILW4wA
0Bqe76VozH06+FgTw4nzLFunQdyqK056icZ6iaiUEMJm8x3zyLdkUClk4A+QMSXr
DMCag86aeNR2xf8jVPlBP+k2+pZwY7ROZNE+mqhWGRr287geGG8tsmPvvyKhsVrs
+VxZCBd+HryMMvL8qwIDAQAB
-----END PUBLIC KEY-----
)";
const std::string signature =
    base64_decode("MEUCIAxi1MxTtVaNG2vRtPvsJagQjeHlTcjDktjL0CrWku0NAiEA1okw2sxVxx6N2wixGm105rQxI2Yt0GCWTbTXcN9rqKk=")
        .value();
}  // namespace

TEST_CASE("a signature counts for its message and its key, and for nothing else") {
    CHECK(verify_ecdsa_p256(key, "the message", signature));
    const auto changed = verify_ecdsa_p256(key, "the massage", signature);
    REQUIRE_FALSE(changed);
    CHECK(changed.error().code == Errc::unauthorized);
    CHECK_FALSE(verify_ecdsa_p256(other_key, "the message", signature));
    CHECK_FALSE(verify_ecdsa_p256(key, "the message", signature + "x"));
    CHECK_FALSE(verify_ecdsa_p256(key, "the message", ""));
}

TEST_CASE("only public keys of P-256 are taken") {
    CHECK(check_p256_public_key(key));
    for (const auto& other :
         {rsa_key, std::string("rubbish"), std::string(), generate_private_key_pem(KeyKind::p256).value_or("")}) {
        const auto checked = check_p256_public_key(other);
        REQUIRE_FALSE(checked);
        CHECK(checked.error().code == Errc::malformed);
    }
}
