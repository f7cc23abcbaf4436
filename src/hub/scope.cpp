#include "hub/scope.hpp"

#include "base/log.hpp"
#include "hub/waiting.hpp"
#include "model/twin.hpp"

#include <boost/json/serialize.hpp>

#include <algorithm>

namespace skerry::hub {

namespace {

constexpr std::size_t most_identities = 20'000;
constexpr std::size_t most_in_page = 500;
constexpr std::size_t deepest = 5;  // edge devices above each other, this one included

std::string text_of(const iothub::ScopeIdentity& identity) { return boost::json::serialize(iothub::to_json(identity)); }

Result<iothub::ScopeIdentity> parse(std::string_view text, bool module) {
    const auto json = model::parse_object(text);
    if (!json) return fail(json.error());
    return module ? iothub::parse_scope_module(*json) : iothub::parse_scope_device(*json);
}

}  // namespace

Scope::Scope(StateStore& store, Clock& clock, Executor executor, Options options)
    : store_(store),
      clock_(clock),
      executor_(executor),
      options_(std::move(options)),
      questions_(clock, options_.ask_again),
      due_(executor) {}

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
    partly_.erase(identity);
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
    partly_.clear();

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

void Scope::refresh_soon() {
    questions_.reachable_again();
    due_.set();
}

namespace {
std::string_view parent_scope_of(const iothub::ScopeIdentity& device) {
    if (!device.parent_scopes.empty()) return device.parent_scopes.front();
    return device.iot_edge ? std::string_view() : device.device_scope;
}
}  // namespace

// The edge device whose own scope is the device's parent scope.
const iothub::ScopeIdentity* Scope::edge_above(const iothub::ScopeIdentity& device) const {
    const auto scope = parent_scope_of(device);
    if (scope.empty()) return nullptr;
    for (const auto& [identity, known] : identities_)
        if (known.iot_edge && !identity.is_module() && known.device_scope == scope) return &known;
    return nullptr;
}

std::vector<std::string> Scope::chain_of(const model::Identity& identity) const {
    std::vector<std::string> chain;
    if (identity.is_module()) chain.push_back(identity.id());
    const auto device = model::Identity::device(identity.device_id());
    const auto* at = device ? find(*device) : nullptr;
    for (std::size_t edges = 0; at; at = edge_above(*at)) {
        // Whether the client's own device may connect is asked elsewhere; one above it that is disabled cuts the chain.
        const bool is_above = at->identity.device_id() != identity.device_id();
        if (is_above && !at->enabled) return {};
        if (at->iot_edge && ++edges > deepest) return {};
        chain.push_back(at->identity.device_id());
        if (chain.back() == options_.own_device) return chain;
    }
    return {};
}

Scope::Page Scope::below(const iothub::ScopeIdentity& edge, std::string_view after, std::size_t most) const {
    Page page;
    // A device and its modules lie side by side, the device first.
    bool with_modules = false;
    for (const auto& [identity, known] : identities_) {
        if (identity.device_id() <= after) continue;
        if (identity.is_module()) {
            if (with_modules && page.devices.back()->identity.device_id() == identity.device_id())
                page.modules.push_back(&known);
            continue;
        }
        const bool own = identity == edge.identity;
        with_modules = own || (!edge.device_scope.empty() && parent_scope_of(known) == edge.device_scope);
        if (!with_modules) continue;
        if (page.devices.size() >= most || page.devices.size() + page.modules.size() >= most_in_page) {
            page.next = page.devices.back()->identity.device_id();
            return page;
        }
        page.devices.push_back(&known);
        with_modules = own || !known.iot_edge;  // an edge device asks for its own itself
    }
    return page;
}

// By whom the cloud is asked about `identity`: the edge device that it is below, as we know it, and who is above that.
// Only of a stranger the word of the one that brought it counts: the cloud's "no" makes us forget whom it is about.
std::vector<std::string> Scope::chain_to_ask_by(const model::Identity& identity, const std::string& brought_by) const {
    const auto is_no_edge = [this](const std::string& id) {
        const auto device = model::Identity::device(id);
        const auto* const known = device ? find(*device) : nullptr;
        return !known || !known->iot_edge;
    };
    auto chain = chain_of(identity);
    chain.erase(chain.begin(), std::ranges::find_if_not(chain, is_no_edge));
    const auto edge = model::Identity::device(brought_by);
    if (chain.empty() && edge && !find(identity)) chain = chain_of(*edge);
    if (chain.empty()) chain.push_back(options_.own_device);
    return chain;
}

Task<bool> Scope::ask_about(model::Identity identity, CloudLink& link, Question question) {
    const auto permit = question.at_once ? questions_.ask_at_once(identity) : questions_.ask(identity);
    if (!permit) co_return false;
    auto above = chain_to_ask_by(identity, question.above);
    auto answer = co_await link.scope_of(identity, std::move(above));
    if (!answer) {
        const auto code = answer.error().code;
        if (code != Errc::not_found && code != Errc::unauthorized) {
            log::warn("{} could not be looked up in the cloud: {}", identity.id(), answer.error().text);
            questions_.unanswered(identity);
            co_return false;
        }
        answer = std::vector<iothub::ScopeIdentity>{};
    }
    const auto is_target = [&identity](const auto& found) { return found.identity == identity; };
    if (std::ranges::none_of(*answer, is_target)) drop(identity);
    std::vector<model::Identity> learnt;
    for (auto& found : *answer) {
        learnt.push_back(found.identity);
        if (found.iot_edge && !identities_.contains(found.identity)) partly_.insert(found.identity);
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
