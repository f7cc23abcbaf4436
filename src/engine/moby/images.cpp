#include "engine/moby/images.hpp"

#include "base/log.hpp"
#include "engine/moby/container_body.hpp"
#include "engine/moby/fields.hpp"
#include "engine/registry/image_name.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace skerry::engine::moby {

using namespace std::chrono_literals;

namespace {
constexpr Duration pull_is_fresh = 60s;
constexpr Duration progress_interval = 10s;

std::string doing(std::string_view what, const model::ModuleSpec& spec) {
    return fmt::format("{} module '{}' (image {})", what, spec.name, spec.image);
}
}  // namespace

std::string reference_of(const model::ModuleSpec& spec) {
    auto image = with_tag(spec.image);
    if (!spec.digest || spec.digest->empty() || image.find('@') != image.npos) return image;
    return image.substr(0, image.rfind(':')) + '@' + *spec.digest;
}

Images::Images(Client& client, Platform platform, OnUse on_use, registry::VerifierOptions signatures)
    : client_(client),
      platform_(platform),
      on_use_(std::move(on_use)),
      trusts_all_(signatures.policy.rules.empty()),
      verifier_(platform, std::move(signatures)),
      pulls_(platform.executor) {}

Task<Result<>> Images::prepare(model::ModuleSpec spec) {
    if (const auto before = co_await image_before(spec)) {
        if (on_use_) on_use_(*before, ImageUse::used);
        co_return Result<>{};
    }
    const auto named = reference_of(spec);
    const auto guard = co_await pulls_.lock(named);
    const auto now = platform_.clock.steady();
    std::erase_if(fresh_, [&](const auto& entry) { return now - entry.second.when > pull_is_fresh; });
    const bool may_ask = spec.pull_policy != model::PullPolicy::never;
    if (const auto asked = fresh_.find(named); asked != fresh_.end())
        co_return co_await get(std::move(spec), asked->second.reference, true);
    auto verified = co_await verifier_.check(named, spec.auth, may_ask);
    if (!verified) co_return fail(verified.error().while_doing(doing("verifying the image of", spec)));
    const bool pinned = verified->find('@') != verified->npos;
    auto ready = co_await get(std::move(spec), *verified, pinned || !may_ask);
    if (ready && may_ask) fresh_[named] = {platform_.clock.steady(), std::move(*verified)};
    co_return ready;
}

// `enough`: that the image is here.
Task<Result<>> Images::get(model::ModuleSpec spec, std::string reference, bool enough) {
    const auto here = co_await client_.find_image(reference);
    if (!here && here.error().code != Errc::not_found)
        co_return fail(here.error().while_doing(doing("preparing", spec)));
    // Before a deployment switches to it: nobody must clear it away meanwhile.
    if (here && on_use_) on_use_(here->id, ImageUse::used);
    if (here && enough) co_return Result<>{};
    if (!here && spec.pull_policy == model::PullPolicy::never)
        co_return fail(Errc::not_found, fmt::format("{}: the image is not here, and imagePullPolicy forbids to pull it",
                                                    doing("preparing", spec)));
    const auto pulled = co_await pull(spec, reference);
    if (pulled) co_return Result<>{};
    const auto code = pulled.error().code;
    const bool said_no = code == Errc::unauthorized || code == Errc::not_found || code == Errc::malformed;
    if (!here || said_no) co_return fail(pulled.error().while_doing(doing("pulling the image of", spec)));
    log::warn("module {}: {} can't be pulled, the one that is here is used: {}", spec.name, reference,
              pulled.error().text);
    co_return Result<>{};
}

Task<Result<>> Images::pull(model::ModuleSpec spec, std::string reference) {
    log::info("pulling {} for module {}", reference, spec.name);
    auto told = platform_.clock.steady();
    const auto tell = [&](const PullProgress& progress) {
        if (platform_.clock.steady() - told < progress_interval) return;
        told = platform_.clock.steady();
        log::info("pulling {}: {}", reference, progress.text());
    };
    auto pulled = co_await client_.pull(reference, spec.auth, tell);
    if (!pulled) co_return pulled;
    log::info("pulled {}", reference);
    if (const auto image = co_await client_.find_image(reference); image && on_use_)
        on_use_(image->id, ImageUse::pulled);
    co_return Result<>{};
}

Task<Result<std::string>> Images::image_before(model::ModuleSpec spec) {
    const auto id = text_at(object_at(spec.create_options, "Labels"), chosen_image_label);
    const bool counts = registry::is_digest(id) && trusts_all_ && !spec.digest.has_value();
    if (!counts || spec.image.find('@') != spec.image.npos) co_return fail(Errc::not_found, "no image is chosen");
    const auto here = co_await client_.find_image(id);
    if (!here) co_return std::unexpected(here.error());
    // Where its name still means that image, the name says more to people than the id.
    const auto now = co_await client_.find_image(reference_of(spec));
    if (now && now->id == here->id) co_return fail(Errc::not_found, "the name means the same image");
    co_return here->id;
}

Task<Result<std::string>> Images::reference_to_run(model::ModuleSpec spec) {
    if (auto before = co_await image_before(spec)) co_return before;
    const auto named = reference_of(spec);
    if (const auto asked = fresh_.find(named); asked != fresh_.end()) co_return asked->second.reference;
    co_return co_await verifier_.check(named, spec.auth, spec.pull_policy != model::PullPolicy::never);
}

// Asks nobody: it is for what is here.
Task<Result<std::string>> Images::image_id(model::ModuleSpec spec) {
    const auto named = reference_of(spec);
    const auto verified = co_await verifier_.check(named, {}, false);
    const auto image = co_await client_.find_image(verified.value_or(named));
    if (!image) co_return std::unexpected(image.error());
    co_return image->id;
}

Task<Result<std::vector<std::string>>> Images::image_ids() {
    const auto images = co_await client_.images();
    if (!images) co_return std::unexpected(images.error());
    std::vector<std::string> ids;
    std::ranges::transform(*images, std::back_inserter(ids), &Image::id);
    co_return ids;
}

// Name by name, and then by id what has none: by its id the engine takes no image away that is known in two
// repositories. Names of before go first, so that a container that was made of it just now keeps the image all the
// same.
Task<Result<>> Images::remove_image(std::string id) {
    const auto image = co_await client_.find_image(id);
    if (!image && image.error().code == Errc::not_found) co_return Result<>{};
    if (!image) co_return std::unexpected(image.error());
    auto names = image->names;
    names.insert(names.end(), image->digests.begin(), image->digests.end());
    names.push_back(id);
    for (const auto& name : names)
        if (auto removed = co_await client_.remove_image(name); !removed && removed.error().code != Errc::not_found)
            co_return removed;
    co_return Result<>{};
}

}  // namespace skerry::engine::moby
