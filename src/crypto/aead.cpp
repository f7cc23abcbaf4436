#include "crypto/crypto.hpp"
#include "crypto/openssl.hpp"

#include <fmt/format.h>

#include <climits>

namespace skerry::crypto {

namespace {
constexpr std::size_t key_bytes = 32;
constexpr std::size_t tag_bytes = 16;

Result<> check_sizes(std::string_view key, std::string_view iv, std::string_view aad, std::string_view text) {
    if (key.size() != key_bytes)
        return fail(Errc::malformed, fmt::format("an AES-256 key has 32 bytes, this one {}", key.size()));
    if (iv.empty()) return fail(Errc::malformed, "the initialization vector is empty");
    if (iv.size() > INT_MAX || aad.size() > INT_MAX || text.size() > INT_MAX - tag_bytes)
        return fail(Errc::full, "too long to encrypt in one piece");
    return {};
}

// Key, IV and additional data are set; the text comes next.
Result<OwnedCipher> start(int encrypting, std::string_view key, std::string_view iv, std::string_view aad) {
    OwnedCipher cipher(EVP_CIPHER_CTX_new());
    int size = 0;
    const bool ready =
        cipher && EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, nullptr, nullptr, encrypting) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_IVLEN, static_cast<int>(iv.size()), nullptr) == 1 &&
        EVP_CipherInit_ex(cipher.get(), nullptr, nullptr, bytes_of(key), bytes_of(iv), encrypting) == 1 &&
        (aad.empty() ||
         EVP_CipherUpdate(cipher.get(), nullptr, &size, bytes_of(aad), static_cast<int>(aad.size())) == 1);
    if (!ready) return fail(openssl_error(Errc::internal, "starting AES-256-GCM"));
    return cipher;
}
}  // namespace

Result<std::string> aes_gcm_encrypt(std::string_view key, std::string_view iv, std::string_view aad,
                                    std::string_view plaintext) {
    if (auto fits = check_sizes(key, iv, aad, plaintext); !fits) return fail(fits.error());
    auto cipher = start(1, key, iv, aad);
    if (!cipher) return fail(cipher.error());

    std::string out(plaintext.size() + tag_bytes, '\0');
    int size = 0;
    int rest = 0;
    const auto text_size = static_cast<int>(plaintext.size());
    const bool done =
        (plaintext.empty() ||
         EVP_CipherUpdate(cipher->get(), bytes_of(out), &size, bytes_of(plaintext), text_size) == 1) &&
        EVP_CipherFinal_ex(cipher->get(), bytes_of(out) + size, &rest) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher->get(), EVP_CTRL_AEAD_GET_TAG, tag_bytes, bytes_of(out) + plaintext.size()) == 1;
    if (!done) return fail(openssl_error(Errc::internal, "encrypting with AES-256-GCM"));
    return out;
}

Result<std::string> aes_gcm_decrypt(std::string_view key, std::string_view iv, std::string_view aad,
                                    std::string_view ciphertext) {
    if (auto fits = check_sizes(key, iv, aad, ciphertext); !fits) return fail(fits.error());
    if (ciphertext.size() < tag_bytes) return fail(Errc::malformed, "the ciphertext is shorter than its 16-byte tag");
    auto cipher = start(0, key, iv, aad);
    if (!cipher) return fail(cipher.error());

    const auto text_size = ciphertext.size() - tag_bytes;
    std::string tag(ciphertext.substr(text_size));
    std::string out(text_size + tag_bytes, '\0');  // never empty, so that data() may be written to
    int size = 0;
    int rest = 0;
    const bool read = EVP_CIPHER_CTX_ctrl(cipher->get(), EVP_CTRL_AEAD_SET_TAG, tag_bytes, tag.data()) == 1 &&
                      (text_size == 0 || EVP_CipherUpdate(cipher->get(), bytes_of(out), &size, bytes_of(ciphertext),
                                                          static_cast<int>(text_size)) == 1);
    if (!read) return fail(openssl_error(Errc::internal, "decrypting with AES-256-GCM"));
    if (EVP_CipherFinal_ex(cipher->get(), bytes_of(out) + size, &rest) != 1)
        return fail(openssl_error(Errc::unauthorized,
                                  "the ciphertext, its vector or its additional data were changed, "
                                  "or this is not the key it was encrypted with"));
    out.resize(text_size);
    return out;
}

}  // namespace skerry::crypto
