#include "hub/token_cache.hpp"

#include "base/log.hpp"
#include "crypto/crypto.hpp"
#include "iothub/sas.hpp"

#include <vector>

namespace skerry::hub {

namespace {
constexpr std::size_t longest_token = 4096;
}

Task<Result<>> TokenCache::load(Tell tell) {
    auto records = co_await store_.load_all(StateKind::token);
    if (!records) co_return fail(records.error());
    for (auto& [id, text] : *records) {
        const auto identity = model::Identity::parse(id);
        const auto token = iothub::parse_sas(text);
        if (!identity || !token || token->expires() <= clock_.wall() || entries_.size() >= most_) {
            if (const auto gone = co_await store_.remove(StateKind::token, id); !gone)
                log::warn("A token of {} that is of no use stays on disk: {}", id, gone.error().text);
            continue;
        }
        tell(*identity, text, token->expires());
        entries_.insert_or_assign(*identity, Entry{std::move(text), token->expires()});
    }
    co_return Result<>{};
}

Task<> TokenCache::make_room() {
    std::vector<model::Identity> expired;
    for (const auto& [identity, entry] : entries_)
        if (entry.expires <= clock_.wall()) expired.push_back(identity);
    for (const auto& identity : expired) co_await forget(identity);
}

Task<> TokenCache::remember(model::Identity identity, std::string token, WallTime expires) {
    if (token.size() > longest_token || holds(identity, token)) co_return;
    if (entries_.size() >= most_ && !entries_.contains(identity)) co_await make_room();
    if (entries_.size() >= most_ && !entries_.contains(identity)) co_return;
    entries_.insert_or_assign(identity, Entry{token, expires});
    if (const auto saved = co_await store_.save(StateKind::token, identity.id(), std::move(token)); !saved)
        log::warn("The token of {} is not on disk: {}", identity.id(), saved.error().text);
}

Task<> TokenCache::forget(model::Identity identity) {
    if (entries_.erase(identity) == 0) co_return;
    if (const auto gone = co_await store_.remove(StateKind::token, identity.id()); !gone)
        log::warn("The token of {} stays on disk: {}", identity.id(), gone.error().text);
}

bool TokenCache::holds(const model::Identity& identity, std::string_view token) const {
    const auto found = entries_.find(identity);
    return found != entries_.end() && found->second.expires > clock_.wall() &&
           crypto::equal_in_constant_time(found->second.token, token);
}

}  // namespace skerry::hub
