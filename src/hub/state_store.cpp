#include "hub/state_store.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "crypto/crypto.hpp"

#include <fmt/format.h>

#include <array>

namespace skerry::hub {

namespace {

constexpr std::array<std::string_view, 1> migrations{
    "CREATE TABLE records (kind TEXT NOT NULL, id TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, id));"
    "CREATE TABLE keys (name TEXT PRIMARY KEY, iv TEXT NOT NULL, wrapped TEXT NOT NULL);",
};

constexpr std::size_t key_bytes = 32;
constexpr std::size_t iv_bytes = 12;

std::string name_of(StateKind kind) {
    switch (kind) {
        case StateKind::identity: return "identity";
        case StateKind::twin: return "twin";
        case StateKind::subscriptions: return "subscriptions";
        case StateKind::token: return "token";
    }
    return {};
}

// Ties a sealed value to its place: a value moved to another record does not open.
std::string place_of(StateKind kind, std::string_view id) { return fmt::format("{}/{}", name_of(kind), id); }

constexpr std::string_view insert = "INSERT OR REPLACE INTO records (kind, id, value) VALUES (?1, ?2, ?3)";

}  // namespace

StateStore::StateStore(std::unique_ptr<storage::Database> database, Worker& worker, Random& random)
    : database_(std::move(database)), worker_(worker), random_(random) {}

Task<Result<std::unique_ptr<StateStore>>> StateStore::open(std::filesystem::path file, Worker& worker,
                                                           KeyWrapper wrapper, Random& random) {
    auto database = co_await worker.run([&file] { return storage::Database::open(file, migrations); });
    if (!database) co_return fail(database.error().while_doing("opening the hub's state"));
    std::unique_ptr<StateStore> store(new StateStore(std::move(*database), worker, random));
    auto key = co_await store->obtain_key(std::move(wrapper));
    if (!key) co_return fail(key.error().while_doing("getting the key of the hub's state"));
    if (auto listed = co_await store->list_records(); !listed) co_return fail(listed.error());
    co_return store;
}

Task<Result<>> StateStore::list_records() {
    const auto rows = co_await worker_.run([this] { return database_->query("SELECT kind, id FROM records"); });
    if (!rows) co_return fail(rows.error());
    for (const auto& row : *rows)
        for (const auto kind : {StateKind::identity, StateKind::twin, StateKind::subscriptions, StateKind::token})
            if (row.text(0) == name_of(kind)) present_.emplace(kind, row.text(1));
    co_return Result<>{};
}

Task<Result<>> StateStore::obtain_key(KeyWrapper wrapper) {
    auto rows =
        co_await worker_.run([this] { return database_->query("SELECT iv, wrapped FROM keys WHERE name = 'data'"); });
    if (!rows) co_return fail(rows.error());
    if (rows->empty()) co_return co_await make_key(wrapper);

    const auto iv = base64_decode(rows->front().text(0));
    const auto wrapped = base64_decode(rows->front().text(1));
    auto key = iv && wrapped ? co_await wrapper.unwrap(*wrapped, *iv)
                             : Result<std::string>(fail(Errc::malformed, "the stored key is damaged"));
    if (key && key->size() == key_bytes) {
        key_ = std::move(*key);
        co_return Result<>{};
    }
    if (!key && (key.error().code == Errc::unreachable || key.error().code == Errc::timeout))
        co_return fail(key.error());
    log::warn(
        "The key of the stored identities and twins can't be decrypted ({}): they are forgotten and fetched again "
        "from the cloud. This happens when the module was created anew.",
        key ? "it has the wrong length" : key.error().text);
    auto wiped = co_await worker_.run([this] { return database_->execute("DELETE FROM records"); });
    if (!wiped) co_return fail(wiped.error());
    co_return co_await make_key(wrapper);
}

Task<Result<>> StateStore::make_key(const KeyWrapper& wrapper) {
    auto key = random_.bytes(key_bytes);
    const auto iv = random_.bytes(iv_bytes);
    auto wrapped = co_await wrapper.wrap(key, iv);
    if (!wrapped) co_return fail(wrapped.error());
    auto saved = co_await worker_.run([this, &iv, &wrapped] {
        return database_->execute("INSERT OR REPLACE INTO keys (name, iv, wrapped) VALUES ('data', ?1, ?2)",
                                  {base64_encode(iv), base64_encode(*wrapped)});
    });
    if (!saved) co_return fail(saved.error());
    key_ = std::move(key);
    co_return Result<>{};
}

std::string StateStore::seal(std::string_view aad, std::string_view value) {
    const auto iv = random_.bytes(iv_bytes);
    // The key has its right length and the IV is not empty: it can't fail.
    return base64_encode(iv + crypto::aes_gcm_encrypt(key_, iv, aad, value).value());
}

std::optional<std::string> StateStore::unseal(std::string_view aad, std::string_view sealed) const {
    const auto bytes = base64_decode(sealed);
    if (!bytes || bytes->size() <= iv_bytes) return std::nullopt;
    const std::string_view view(*bytes);
    auto value = crypto::aes_gcm_decrypt(key_, view.substr(0, iv_bytes), aad, view.substr(iv_bytes));
    if (!value) return std::nullopt;
    return std::move(*value);
}

Task<Result<StateStore::Records>> StateStore::load_all(StateKind kind) {
    auto rows = co_await worker_.run(
        [this, kind] { return database_->query("SELECT id, value FROM records WHERE kind = ?1", {name_of(kind)}); });
    if (!rows) co_return fail(rows.error());
    Records records;
    for (const auto& row : *rows) {
        auto value = unseal(place_of(kind, row.text(0)), row.text(1));
        if (value)
            records.emplace_back(row.text(0), std::move(*value));
        else
            log::warn("The stored {} of {} is damaged and ignored", name_of(kind), row.text(0));
    }
    co_return records;
}

Task<Result<std::optional<std::string>>> StateStore::load(StateKind kind, std::string id) {
    if (!present_.contains({kind, id})) co_return std::optional<std::string>{};
    auto rows = co_await worker_.run([this, kind, &id] {
        return database_->query("SELECT value FROM records WHERE kind = ?1 AND id = ?2", {name_of(kind), id});
    });
    if (!rows) co_return fail(rows.error());
    if (rows->empty()) co_return std::optional<std::string>{};
    auto value = unseal(place_of(kind, id), rows->front().text(0));
    if (!value) log::warn("The stored {} of {} is damaged and ignored", name_of(kind), id);
    co_return value;
}

Task<Result<>> StateStore::save(StateKind kind, std::string id, std::string value) {
    const auto sealed = seal(place_of(kind, id), value);
    present_.emplace(kind, id);
    auto saved = co_await worker_.run(
        [this, kind, &id, &sealed] { return database_->execute(insert, {name_of(kind), id, sealed}); });
    if (!saved) co_return fail(saved.error().while_doing("saving the " + name_of(kind) + " of " + id));
    co_return Result<>{};
}

Task<Result<>> StateStore::remove(StateKind kind, std::string id) {
    // Now, not when it is done: a save that comes meanwhile is done after it.
    if (present_.erase({kind, id}) == 0) co_return Result<>{};
    auto removed = co_await worker_.run([this, kind, &id] {
        return database_->execute("DELETE FROM records WHERE kind = ?1 AND id = ?2", {name_of(kind), id});
    });
    if (removed) co_return Result<>{};
    present_.emplace(kind, std::move(id));
    co_return fail(removed.error());
}

Task<Result<>> StateStore::replace_all(StateKind kind, Records records) {
    // As remove() and save() do it.
    std::vector<std::string> gone;
    for (const auto& [of, id] : present_)
        if (of == kind) gone.push_back(id);
    for (const auto& id : gone) present_.erase({kind, id});
    for (auto& [id, value] : records) {
        value = seal(place_of(kind, id), value);
        present_.emplace(kind, id);
    }
    const auto write = [this, kind, &records]() -> Result<> {
        if (auto gone = database_->execute("DELETE FROM records WHERE kind = ?1", {name_of(kind)}); !gone)
            return fail(gone.error());
        for (const auto& [id, sealed] : records)
            if (auto saved = database_->execute(insert, {name_of(kind), id, sealed}); !saved)
                return fail(saved.error());
        return {};
    };
    auto written = co_await worker_.run([this, &write] { return database_->transaction(write); });
    if (!written)
        for (auto& id : gone) present_.emplace(kind, std::move(id));
    co_return written;
}

}  // namespace skerry::hub
