#include "hub/scope.hpp"

#include "base/log.hpp"
#include "hub/waiting.hpp"
#include "model/twin.hpp"

#include <boost/json/serialize.hpp>

namespace skerry::hub {

namespace {

constexpr std::size_t most_identities = 20'000;
constexpr std::size_t most_asked = 1'000;
constexpr std::size_t most_asking = 8;

std::string text_of(const iothub::ScopeIdentity& identity) { return boost::json::serialize(iothub::to_json(identity)); }

Result<iothub::ScopeIdentity> parse(std::string_view text, bool module) {
    const auto json = model::parse_object(text);
    if (!json) return fail(json.error());
    return module ? iothub::parse_scope_module(*json) : iothub::parse_scope_device(*json);
}

}  // namespace

Scope::Scope(StateStore& store, Clock& clock, Executor executor, Options options)
    : store_(store), clock_(clock), executor_(executor), options_(options), due_(executor) {}

Task<Result<>> Scope::load() {
    auto records = co_await store_.load_all(StateKind::identity);
    if (!records) co_return fail(records.error());
    for (const auto& [id, text] : *records) {
        auto identity = parse(text, id.contains('/'));
        if (identity)
            put(std::move(*identity));
        else
            log::warn("The stored identity {} is ignored: {}", id, identity.error().text);
    }
    co_return Result<>{};
}

const iothub::ScopeIdentity* Scope::find(const model::Identity& identity) const {
    const auto found = identities_.find(identity);
    return found == identities_.end() ? nullptr : &found->second;
}

void Scope::put(iothub::ScopeIdentity identity) {
    const auto key = identity.identity;
    const auto found = identities_.find(key);
    if (found == identities_.end()) {
        if (identities_.size() >= most_identities) {
            log::warn("{} is ignored: the scope has more than {} identities", key.id(), most_identities);
            return;
        }
        identities_.emplace(key, std::move(identity));
    } else {
        if (text_of(found->second) == text_of(identity)) return;
        found->second = std::move(identity);
    }
    if (changed_) changed_(key);
}

void Scope::drop(const model::Identity& identity) {
    if (identities_.erase(identity) == 0) return;
    log::info("{} is no longer in this device's scope", identity.id());
    if (changed_) changed_(identity);
}

Task<Result<>> Scope::refresh(CloudLink& link) {
    auto fresh = co_await link.scope();
    if (!fresh) co_return fail(fresh.error().while_doing("refreshing the device scope"));
    std::vector<model::Identity> gone;
    for (const auto& known : identities_) {
        const auto same = [&known](const auto& identity) { return identity.identity == known.first; };
        if (std::ranges::none_of(*fresh, same)) gone.push_back(known.first);
    }
    for (const auto& identity : gone) drop(identity);
    for (auto& identity : *fresh) put(std::move(identity));

    StateStore::Records records;
    for (const auto& [key, identity] : identities_) records.emplace_back(key.id(), text_of(identity));
    co_return co_await store_.replace_all(StateKind::identity, std::move(records));
}

Task<> Scope::keep_fresh(CloudLink& link) {
    bool succeeded = false;
    for (;;) {
        due_.reset();
        const auto refreshed = co_await refresh(link);
        if (refreshed) {
            if (!succeeded) log::info("Device scope refreshed: {} identities", identities_.size());
            succeeded = true;
        } else {
            log::warn("Device scope not refreshed, going on with {} known identities: {}", identities_.size(),
                      refreshed.error().text);
        }
        co_await wait_at_most(clock_, succeeded ? options_.refresh : options_.retry, due_);
    }
}

bool Scope::may_ask_about(const model::Identity& identity) {
    const auto now = clock_.steady();
    if (const auto found = asked_.find(identity); found != asked_.end() && now - found->second < options_.ask_again)
        return false;
    if (asked_.size() >= most_asked)
        std::erase_if(asked_, [&](const auto& entry) { return now - entry.second >= options_.ask_again; });
    if (asked_.size() >= most_asked || asking_ >= most_asking) return false;
    asked_[identity] = now;
    return true;
}

Task<bool> Scope::ask_about(model::Identity identity, CloudLink& link) {
    if (!may_ask_about(identity)) co_return false;
    struct Counted {
        explicit Counted(std::size_t& counter) : count(counter) { ++count; }
        ~Counted() { --count; }
        std::size_t& count;
    } const counted(asking_);

    auto answer = co_await link.scope_of(identity);
    if (!answer) {
        const auto code = answer.error().code;
        if (code != Errc::not_found && code != Errc::unauthorized) {
            log::warn("{} could not be looked up in the cloud: {}", identity.id(), answer.error().text);
            asked_.erase(identity);
            co_return false;
        }
        answer = std::vector<iothub::ScopeIdentity>{};
    }
    const auto is_target = [&identity](const auto& found) { return found.identity == identity; };
    if (std::ranges::none_of(*answer, is_target)) drop(identity);
    std::vector<model::Identity> learnt;
    for (auto& found : *answer) {
        learnt.push_back(found.identity);
        put(std::move(found));
    }
    learnt.push_back(identity);
    for (const auto& one : learnt) co_await save_one(one);
    co_return true;
}

Task<> Scope::save_one(model::Identity identity) {
    const auto* const known = find(identity);
    const auto saved = known ? co_await store_.save(StateKind::identity, identity.id(), text_of(*known))
                             : co_await store_.remove(StateKind::identity, identity.id());
    if (!saved) log::warn("The identity {} is not on disk: {}", identity.id(), saved.error().text);
}

}  // namespace skerry::hub
