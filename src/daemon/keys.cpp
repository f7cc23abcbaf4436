#include "daemon/keys.hpp"

#include "base/log.hpp"
#include "crypto/crypto.hpp"

namespace skerry::daemon {

namespace {
constexpr std::size_t key_bytes = 32;
constexpr std::size_t tag_bytes = 16;
constexpr char current_format = '\x02';
constexpr char former_format = '\x01';

Result<std::string> load_or_make(storage::Files& files, Random& random, const std::filesystem::path& path) {
    const auto found = storage::read_file(files, path, 4096);
    if (found && found->size() == key_bytes) return *found;
    if (!found && found.error().code != Errc::not_found) return found;
    if (found) {
        const auto aside = path.native() + ".damaged";
        log::error("{}: is no key of {} bytes; moved to {}, and a new one is made: what was encrypted with it is lost",
                   path.native(), key_bytes, aside);
        if (const auto moved = files.rename(path, aside); !moved) return std::unexpected(moved.error());
    }
    auto made = random.bytes(key_bytes);
    if (const auto saved = storage::replace_file(files, path, made); !saved) return std::unexpected(saved.error());
    return made;
}

std::string authenticated(std::string_view module_id, std::string_view generation) {
    return std::string(module_id) + std::string(generation);
}
}  // namespace

Result<Keys> Keys::open(storage::Files& files, Random& random, const std::filesystem::path& folder,
                        const std::optional<std::filesystem::path>& imported) {
    if (const auto made = files.make_folders(folder, 0700); !made) return std::unexpected(made.error());
    auto identity = load_or_make(files, random, folder / "identity.key");
    if (!identity) return fail(identity.error().while_doing("the identity key"));
    auto encryption =
        imported ? storage::read_file(files, *imported, 4096) : load_or_make(files, random, folder / "encryption.key");
    if (!encryption) return fail(encryption.error().while_doing("the master encryption key"));
    if (encryption->size() != key_bytes)
        return fail(Errc::malformed, "imported_master_encryption_key: " + imported->native() + " must hold 32 bytes");
    return Keys(std::move(*identity), std::move(*encryption));
}

std::string Keys::module_key(std::string_view module_id, std::string_view generation, std::string_view which) const {
    std::string name(module_id);
    for (const auto part : {std::string_view(":"), generation, std::string_view(":"), which}) name += part;
    return crypto::hmac_sha256(identity_, name);
}

Result<std::string> Keys::encrypt(std::string_view module_id, std::string_view generation, std::string_view iv,
                                  std::string_view plaintext) const {
    auto sealed = crypto::aes_gcm_encrypt(encryption_, iv, authenticated(module_id, generation), plaintext);
    if (sealed) sealed->insert(sealed->begin(), current_format);
    return sealed;
}

Result<std::string> Keys::decrypt(std::string_view module_id, std::string_view generation, std::string_view iv,
                                  std::string_view ciphertext) const {
    if (ciphertext.size() < 1 + tag_bytes) return fail(Errc::malformed, "the ciphertext is too short");
    const char format = ciphertext.front();
    ciphertext.remove_prefix(1);
    std::string sealed(ciphertext);
    if (format == former_format)
        sealed = std::string(ciphertext.substr(tag_bytes)) + std::string(ciphertext.substr(0, tag_bytes));
    else if (format != current_format)
        return fail(Errc::malformed, "the ciphertext has an unknown format");
    return crypto::aes_gcm_decrypt(encryption_, iv, authenticated(module_id, generation), sealed);
}

}  // namespace skerry::daemon
