#include "engine/registry/verifier.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <utility>

namespace skerry::engine::registry {

namespace {
constexpr std::size_t largest_authorities = 1024 * 1024;

bool is_away(Errc code) { return code == Errc::unreachable || code == Errc::timeout || code == Errc::closed; }

std::unexpected<Error> not_signed(const ImageName& image, std::string_view digest, const TrustRule& rule,
                                  std::string_view why) {
    return fail(Errc::unauthorized,
                fmt::format("{} ({}) may not run: {}; skerry.image_policy, scope \"{}\", demands a signature",
                            image.text(), digest, why, rule.scope));
}

// Of those that the registry lists: the first that counts, or why none does.
Task<Result<VerifiedImage>> first_that_counts(Registry& registry, const ImageName& image, const std::string& digest,
                                              const TrustRule& rule, std::vector<ListedSignature> listed) {
    std::string why = "it is not signed";
    for (auto& entry : listed) {
        auto payload = co_await registry.blob(entry.payload_digest, largest_payload);
        if (!payload && is_away(payload.error().code)) co_return std::unexpected(payload.error());
        Signed proof{payload.value_or(""), std::move(entry.signature)};
        const auto fits = payload ? check_signature(proof, digest, rule.keys) : std::unexpected(payload.error());
        if (fits) co_return VerifiedImage{digest, std::move(proof)};
        why = fits.error().text;
    }
    co_return not_signed(image, digest, rule, why);
}
}  // namespace

Verifier::Verifier(Platform platform, VerifierOptions options)
    : platform_(platform), options_(std::move(options)), kept_(platform.files, platform.clock, options_.kept) {}

void Verifier::set_insecure(std::vector<std::string> ranges, std::vector<std::string> names) {
    insecure_ranges_ = std::move(ranges);
    insecure_names_ = std::move(names);
}

std::string Verifier::authorities_of(const std::string& registry) {
    std::string pem;
    const auto folder = options_.certificates / registry;
    const auto names = platform_.files.list(folder);
    if (!names) return pem;
    for (const auto& name : *names) {
        if (!name.ends_with(".crt")) continue;
        const auto text = storage::read_file(platform_.files, folder / name, largest_authorities);
        if (text) pem += *text + '\n';
    }
    return pem;
}

Task<Result<std::string>> Verifier::check(std::string image, boost::json::object auth, bool may_ask) {
    if (options_.policy.rules.empty()) co_return image;
    const auto name = parse_image_name(image);
    if (!name) co_return std::unexpected(name.error());
    if (const auto allowed = options_.policy.check_allowed(*name); !allowed) co_return std::unexpected(allowed.error());
    const auto* const rule = options_.policy.rule_for(*name);
    if (rule == nullptr || rule->demand == Demand::accept) co_return image;
    auto kept = kept_.find(*name, rule->keys);
    if (kept && (!name->digest.empty() || !may_ask)) co_return name->pinned(kept->digest);
    if (!may_ask) co_return fail(Errc::unauthorized, kept.error().text + ", and the registry is not to be asked");
    const auto asked = co_await ask(*name, *rule, std::move(auth));
    if (!asked && is_away(asked.error().code) && kept) {
        log::warn("{}: its registry is away, and what was verified before counts: {}", name->text(),
                  asked.error().text);
        co_return name->pinned(kept->digest);
    }
    if (!asked) co_return std::unexpected(asked.error());
    if (const auto done = kept_.keep(*name, *asked); !done)
        log::warn("the signature of {} can't be kept for times without the registry: {}", name->text(),
                  done.error().text);
    co_return name->pinned(asked->digest);
}

Task<Result<VerifiedImage>> Verifier::ask(ImageName image, const TrustRule& rule, boost::json::object auth) {
    RegistryAccess access{.insecure = is_insecure(image.registry, insecure_ranges_, insecure_names_),
                          .auth = std::move(auth),
                          .trusted_pem = authorities_of(image.registry)};
    Registry registry(platform_, image, std::move(access));
    Result<std::string> digest = image.digest;
    if (image.digest.empty()) digest = co_await registry.resolve(image.tag);
    if (!digest) co_return fail(digest.error().while_doing("asking what " + image.text() + " is"));
    const auto manifest = co_await registry.manifest(signature_tag(*digest));
    if (!manifest && manifest.error().code == Errc::not_found)
        co_return not_signed(image, *digest, rule, "it is not signed");
    if (!manifest) co_return fail(manifest.error().while_doing("asking for the signatures of " + image.text()));
    auto listed = parse_signature_manifest(*manifest);
    if (!listed) co_return not_signed(image, *digest, rule, listed.error().text);
    co_return co_await first_that_counts(registry, image, *digest, rule, std::move(*listed));
}

}  // namespace skerry::engine::registry
