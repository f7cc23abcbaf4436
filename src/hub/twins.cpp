#include "hub/twins.hpp"

#include "base/backoff.hpp"
#include "base/log.hpp"
#include "hub/metrics/metrics.hpp"
#include "hub/turn.hpp"
#include "model/twin.hpp"

#include <boost/json/serialize.hpp>

namespace skerry::hub {

namespace json = boost::json;

// Shared by the map and by coroutines at work on it, which may outlive its place in the map.
struct Twins::Entry {
    explicit Entry(const Executor& executor) : cloud_turn(executor) {}

    json::object desired;
    json::object reported;  // as the client sees it: what is pending is merged in
    json::object pending;   // accepted from the client, not yet sent; nulls kept
    json::object sending;   // on its way to the cloud
    bool known{false};      // desired and reported have come from the cloud once
    bool syncing{false};
    Turn cloud_turn;  // fetching and desired patches of one twin: one after another
};

namespace {

std::optional<std::int64_t> version_of(const json::object& desired) {
    const auto* const version = desired.if_contains("$version");
    if (!version || !version->is_number()) return std::nullopt;
    boost::system::error_code failed;
    const auto number = version->to_number<std::int64_t>(failed);
    if (failed) return std::nullopt;
    return number;
}

json::object take_object(json::object& from, std::string_view name) {
    auto* const member = from.if_contains(name);
    if (!member || !member->is_object()) return {};
    return std::move(member->get_object());
}

}  // namespace

Twins::Twins(StateStore& store, CloudLink& link, Metrics& metrics, Clock& clock, Random& random, Executor executor,
             Duration sync_pause)
    : store_(store),
      link_(link),
      metrics_(metrics),
      clock_(clock),
      random_(random),
      executor_(executor),
      sync_pause_(sync_pause),
      tasks_(executor) {}

Twins::~Twins() = default;

Task<> Twins::load() {
    auto records = co_await store_.load_all(StateKind::twin);
    if (!records) {
        log::error("The stored twins can't be read: {}", records.error().text);
        co_return;
    }
    for (const auto& [id, text] : *records) {
        auto document = model::parse_object(text);
        const auto identity = model::Identity::parse(id);
        if (!document || !identity) {
            log::warn("The stored twin of {} is damaged and ignored", id);
            continue;
        }
        const auto entry = std::make_shared<Entry>(executor_);
        read_into(*entry, *document);
        entries_.emplace(*identity, entry);
        start_sync(*identity, entry);
    }
}

void Twins::read_into(Entry& entry, json::object& document) {
    entry.desired = take_object(document, "desired");
    entry.reported = take_object(document, "reported");
    entry.pending = take_object(document, "pending");
    const auto* const known = document.if_contains("known");
    entry.known = known && known->is_bool() && known->get_bool();
}

Task<> Twins::close() { co_await tasks_.close(); }

Task<Twins::SharedEntry> Twins::entry_of(model::Identity identity) {
    if (const auto found = entries_.find(identity); found != entries_.end()) co_return found->second;
    auto text = co_await store_.load(StateKind::twin, identity.id());
    if (const auto found = entries_.find(identity); found != entries_.end()) co_return found->second;
    const auto entry = std::make_shared<Entry>(executor_);
    if (text && *text) {
        if (auto document = model::parse_object(**text)) read_into(*entry, *document);
    }
    entries_.emplace(identity, entry);
    co_return entry;
}

void Twins::release(const model::Identity& identity) {
    const auto found = entries_.find(identity);
    if (found == entries_.end() || found->second->syncing || !found->second->pending.empty()) return;
    if (found->second.use_count() == 1) entries_.erase(found);
}

Task<Result<>> Twins::save(model::Identity identity, SharedEntry entry) {
    json::object document;
    document["desired"] = entry->desired;
    document["reported"] = entry->reported;
    document["known"] = entry->known;
    // What is on its way counts as pending until the cloud has said yes.
    auto pending = entry->sending;
    model::merge_patch(pending, entry->pending, model::Nulls::keep);
    if (!pending.empty()) document["pending"] = std::move(pending);
    co_return co_await store_.save(StateKind::twin, identity.id(), json::serialize(document));
}

// Takes the cloud's word for the whole twin. The caller holds the turn.
Task<Result<>> Twins::fetch(model::Identity identity, SharedEntry entry) {
    auto twin = co_await link_.get_twin(identity);
    if (!twin) co_return fail(twin.error());
    entry->desired = take_object(*twin, "desired");
    entry->reported = take_object(*twin, "reported");
    model::merge_patch(entry->reported, entry->sending);
    model::merge_patch(entry->reported, entry->pending);
    entry->known = true;
    if (auto saved = co_await save(identity, entry); !saved)
        log::error("The twin of {} is not on disk: {}", identity.id(), saved.error().text);
    co_return Result<>{};
}

Task<Result<json::object>> Twins::get(model::Identity identity) {
    const auto since = clock_.steady();
    const auto entry = co_await entry_of(identity);
    {
        const auto turn = co_await entry->cloud_turn.take();
        const auto fetched = co_await fetch(identity, entry);
        metrics_.twin_read(identity, fetched ? "upstream" : "edge_hub", clock_.steady() - since);
        if (!fetched) log::debug("The twin of {} is served as last known: {}", identity.id(), fetched.error().text);
    }
    json::object twin;
    twin["desired"] = entry->desired;
    twin["reported"] = entry->reported;
    co_return twin;
}

const json::object* Twins::desired_of(const model::Identity& identity) const {
    const auto found = entries_.find(identity);
    return found != entries_.end() && found->second->known ? &found->second->desired : nullptr;
}

const json::object* Twins::reported_of(const model::Identity& identity) const {
    const auto found = entries_.find(identity);
    return found != entries_.end() && found->second->known ? &found->second->reported : nullptr;
}

Task<Result<>> Twins::report(model::Identity identity, json::object patch) {
    if (auto valid = model::validate_reported(patch); !valid) co_return fail(valid.error());
    const auto since = clock_.steady();
    const auto entry = co_await entry_of(identity);
    model::merge_patch(entry->reported, patch);
    model::merge_patch(entry->pending, patch, model::Nulls::keep);
    auto saved = co_await save(identity, entry);
    if (!saved) co_return fail(saved.error());
    metrics_.reported(identity, "edge_hub", clock_.steady() - since);
    start_sync(identity, entry);
    co_return Result<>{};
}

void Twins::start_sync(const model::Identity& identity, const SharedEntry& entry) {
    if (entry->syncing || entry->pending.empty()) return;
    entry->syncing = true;
    tasks_.spawn("reporting for " + identity.id(), sync(identity, entry));
}

Task<> Twins::sync(model::Identity identity, SharedEntry entry) {
    struct Mark {
        bool& syncing;
        ~Mark() { syncing = false; }
    } const mark{entry->syncing};
    Backoff backoff(random_, std::chrono::seconds(1), std::chrono::minutes(1));
    while (!entry->pending.empty()) {
        co_await link_.wait_ready(identity);
        entry->sending = std::exchange(entry->pending, {});
        const auto since = clock_.steady();
        const auto sent = co_await link_.report(identity, entry->sending);
        if (sent) metrics_.reported(identity, "upstream", clock_.steady() - since);
        const bool refused = !sent && sent.error().code == Errc::malformed;
        if (refused)
            log::warn("The cloud refuses the reported properties of {} for good, they are dropped: {}", identity.id(),
                      sent.error().text);
        if (!sent && !refused) {
            // What came in meanwhile is newer and wins.
            model::merge_patch(entry->sending, entry->pending, model::Nulls::keep);
            entry->pending = std::exchange(entry->sending, {});
            metrics_.retried(identity, "UpdateReportedProperties");
            co_await clock_.sleep(backoff.next());
            continue;
        }
        backoff.reset();
        entry->sending.clear();
        if (auto saved = co_await save(identity, entry); !saved)
            log::error("The twin of {} is not on disk: {}", identity.id(), saved.error().text);
        co_await clock_.sleep(sync_pause_);
    }
}

Task<> Twins::desired_arrived(model::Identity identity, json::object patch) {
    const auto entry = co_await entry_of(identity);
    const auto turn = co_await entry->cloud_turn.take();
    const auto version = version_of(patch);
    const auto known = version_of(entry->desired);
    if (!entry->known || !version || !known || *version != *known + 1) {
        if (version && known && *version <= *known && entry->known)
            co_return;  // seen already, in a twin read meanwhile
        (void)co_await fill_gap(identity, entry);
        co_return;
    }
    auto merged = entry->desired;
    model::merge_patch(merged, patch);
    // A section that was replaced comes as a whole and does not name what is gone (iot-hub-wire.md 8.14): only the twin
    // tells it from a patch. Where that can't be read, or is not that far yet, the patch counts as it is.
    if (merged != patch && co_await fill_gap(identity, entry) && version_of(entry->desired) >= version) co_return;
    entry->desired = std::move(merged);
    if (auto saved = co_await save(identity, entry); !saved)
        log::error("The twin of {} is not on disk: {}", identity.id(), saved.error().text);
    forward(identity, patch);
}

Task<bool> Twins::resync(model::Identity identity) {
    const auto entry = co_await entry_of(identity);
    const auto turn = co_await entry->cloud_turn.take();
    co_return co_await fill_gap(identity, entry);
}

// Reads the whole twin and hands on what differs from what the client knows.
Task<bool> Twins::fill_gap(model::Identity identity, SharedEntry entry) {
    const auto before = entry->desired;
    const auto fetched = co_await fetch(identity, entry);
    if (!fetched) {
        log::warn("The twin of {} could not be read, it stays as last known: {}", identity.id(), fetched.error().text);
        co_return false;
    }
    const auto difference = model::diff(before, entry->desired);
    if (!difference.empty()) forward(identity, difference);
    co_return true;
}

void Twins::forward(const model::Identity& identity, const json::object& patch) const {
    if (!forward_) return;
    const auto entry = entries_.find(identity);
    const auto version = entry == entries_.end() ? std::nullopt : version_of(entry->second->desired);
    forward_(identity, patch, version.value_or(0));
}

}  // namespace skerry::hub
