// The only file that knows SQLite. A damaged database costs its contents, never the start of a role.
#include "storage/database.hpp"

#include "base/log.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <list>
#include <type_traits>
#include <unordered_map>

#include <fcntl.h>
#include <unistd.h>

namespace skerry::storage {

namespace fs = std::filesystem;

namespace {
constexpr std::size_t kept_statements = 64;
// A whole check of a file this small takes a few milliseconds; damage in a larger one shows when it is read.
constexpr std::uintmax_t checked_at_open = 8 * 1024 * 1024;

struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

Errc code_of(sqlite3* handle, int outcome) {
    switch (outcome & 0xff) {
        case SQLITE_CONSTRAINT: return Errc::conflict;
        case SQLITE_FULL:
        case SQLITE_TOOBIG: return Errc::full;
        case SQLITE_BUSY:
        case SQLITE_LOCKED: return Errc::timeout;
        case SQLITE_PERM:
        case SQLITE_READONLY:
        case SQLITE_AUTH: return Errc::unauthorized;
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN: return sqlite3_system_errno(handle) == ENOSPC ? Errc::full : Errc::io;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return Errc::io;
        default: return Errc::internal;
    }
}

bool is_damage(int outcome) { return (outcome & 0xff) == SQLITE_CORRUPT || (outcome & 0xff) == SQLITE_NOTADB; }
}  // namespace

std::int64_t Row::integer(std::size_t column) const {
    const auto& value = values_.at(column);
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
    if (const auto* number = std::get_if<double>(&value)) return static_cast<std::int64_t>(*number);
    return 0;
}

double Row::real(std::size_t column) const {
    const auto& value = values_.at(column);
    if (const auto* number = std::get_if<double>(&value)) return *number;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<double>(*number);
    return 0;
}

const std::string& Row::text(std::size_t column) const {
    static const std::string empty;
    const auto* text = std::get_if<std::string>(&values_.at(column));
    return text ? *text : empty;
}

bool Row::is_null(std::size_t column) const { return std::holds_alternative<std::nullptr_t>(values_.at(column)); }

struct Database::State {
    explicit State(fs::path where) : path(std::move(where)) {}
    ~State() {
        statements.clear();
        sqlite3_close(handle);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    [[nodiscard]] std::unexpected<Error> failed(int outcome, std::string_view doing) {
        damaged = damaged || is_damage(outcome);
        return fail(code_of(handle, outcome), fmt::format("database '{}': {}: {}", path.native(), doing,
                                                          handle ? sqlite3_errmsg(handle) : sqlite3_errstr(outcome)));
    }

    [[nodiscard]] Result<> run_script(const std::string& sql) {
        const int outcome = sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr);
        if (outcome != SQLITE_OK) return failed(outcome, sql.substr(0, 80));
        return {};
    }

    [[nodiscard]] Result<sqlite3_stmt*> statement(std::string_view sql);
    [[nodiscard]] Result<> bind(sqlite3_stmt* statement, std::string_view sql, const std::vector<SqlValue>& values);
    // Steps to the end; `on_row` sees every row.
    template <class OnRow>
    [[nodiscard]] Result<> run(std::string_view sql, const std::vector<SqlValue>& values, OnRow on_row);
    [[nodiscard]] Result<> connect();
    [[nodiscard]] Result<> check();
    [[nodiscard]] Result<> migrate(std::span<const std::string_view> migrations);

    struct Kept {
        std::string sql;
        Statement statement;
    };
    fs::path path;
    sqlite3* handle{nullptr};
    std::list<Kept> statements;  // the last used first
    std::unordered_map<std::string_view, std::list<Kept>::iterator> by_sql;
    int depth{0};  // of transactions
    bool damaged{false};
};

Result<sqlite3_stmt*> Database::State::statement(std::string_view sql) {
    if (const auto found = by_sql.find(sql); found != by_sql.end()) {
        statements.splice(statements.begin(), statements, found->second);
        return found->second->statement.get();
    }
    sqlite3_stmt* prepared = nullptr;
    const char* rest = nullptr;
    const int outcome = sqlite3_prepare_v3(handle, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                           &prepared, &rest);
    Statement owned(prepared);
    if (outcome != SQLITE_OK) return failed(outcome, sql);
    const std::string_view unread(rest, static_cast<std::size_t>(sql.data() + sql.size() - rest));
    if (!owned || unread.find_first_not_of(" \t\n;") != std::string_view::npos)
        return fail(Errc::internal, fmt::format("database '{}': not exactly one statement: {}", path.native(), sql));
    if (statements.size() >= kept_statements) {
        by_sql.erase(statements.back().sql);
        statements.pop_back();
    }
    statements.push_front({std::string(sql), std::move(owned)});
    by_sql.emplace(statements.front().sql, statements.begin());
    return prepared;
}

Result<> Database::State::bind(sqlite3_stmt* statement, std::string_view sql, const std::vector<SqlValue>& values) {
    if (sqlite3_bind_parameter_count(statement) != static_cast<int>(values.size()))
        return fail(Errc::internal,
                    fmt::format("database '{}': {} values for the {} placeholders of: {}", path.native(), values.size(),
                                sqlite3_bind_parameter_count(statement), sql));
    int at = 0;
    for (const auto& value : values) {
        ++at;
        const int outcome = std::visit(
            [&](const auto& held) {
                using Held = std::remove_cvref_t<decltype(held)>;
                if constexpr (std::is_same_v<Held, std::nullptr_t>)
                    return sqlite3_bind_null(statement, at);
                else if constexpr (std::is_same_v<Held, std::int64_t>)
                    return sqlite3_bind_int64(statement, at, held);
                else if constexpr (std::is_same_v<Held, double>)
                    return sqlite3_bind_double(statement, at, held);
                // The values outlive the step: no copy.
                else
                    return sqlite3_bind_text64(statement, at, held.data(), held.size(), SQLITE_STATIC, SQLITE_UTF8);
            },
            value);
        if (outcome != SQLITE_OK) return failed(outcome, sql);
    }
    return {};
}

template <class OnRow>
Result<> Database::State::run(std::string_view sql, const std::vector<SqlValue>& values, OnRow on_row) {
    const auto prepared = statement(sql);
    if (!prepared) return fail(prepared.error());
    struct Reset {
        sqlite3_stmt* statement;
        ~Reset() {
            sqlite3_reset(statement);
            sqlite3_clear_bindings(statement);
        }
    } reset{*prepared};
    if (auto bound = bind(*prepared, sql, values); !bound) return bound;
    int outcome = SQLITE_OK;
    while ((outcome = sqlite3_step(*prepared)) == SQLITE_ROW) on_row(*prepared);
    if (outcome != SQLITE_DONE) return failed(outcome, sql);
    return {};
}

Result<> Database::State::connect() {
    const bool in_memory = path == ":memory:";
    if (!in_memory) {
        // Made here, so that only the owner can read it; SQLite gives its side files the same permissions.
        const int made = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (made < 0) return fail(system_error(fmt::format("opening the database '{}'", path.native()), errno));
        ::close(made);
    }
    const int outcome = sqlite3_open_v2(
        path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        nullptr);
    if (outcome != SQLITE_OK) return failed(outcome, "opening");
    sqlite3_busy_timeout(handle, 5000);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_LOOKASIDE, nullptr, 512, 64);  // 32 KiB instead of 120
    return run_script(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-256;"
        "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF; PRAGMA wal_autocheckpoint=256;"
        "PRAGMA journal_size_limit=1048576");
}

Result<> Database::State::check() {
    std::error_code ignored;
    if (path == ":memory:" || fs::file_size(path, ignored) > checked_at_open || ignored) return {};
    std::string report;
    auto ran = run("PRAGMA quick_check(1)", {}, [&](sqlite3_stmt* row) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(row, 0));
        report = text ? text : "";
    });
    if (!ran) return ran;
    if (report == "ok") return {};
    std::ranges::replace(report, '\n', ' ');  // one event, one line
    damaged = true;
    return fail(Errc::io, fmt::format("database '{}': {}", path.native(), report));
}

Result<> Database::State::migrate(std::span<const std::string_view> migrations) {
    std::int64_t version = 0;
    auto asked = run("PRAGMA user_version", {}, [&](sqlite3_stmt* row) { version = sqlite3_column_int64(row, 0); });
    if (!asked) return asked;
    const auto known = static_cast<std::int64_t>(migrations.size());
    if (version > known)
        return fail(
            Errc::unsupported,
            fmt::format("database '{}' has format {}, and this version of skerry knows {}: use the version that "
                        "wrote it, or move the file away to begin anew",
                        path.native(), version, known));
    for (; version < known; ++version) {
        auto done = run_script(fmt::format("BEGIN IMMEDIATE; {}; PRAGMA user_version={}; COMMIT",
                                           migrations[static_cast<std::size_t>(version)], version + 1));
        if (done) continue;
        sqlite3_exec(handle, "ROLLBACK", nullptr, nullptr, nullptr);
        return fail(done.error().while_doing(fmt::format("migration {}", version + 1)));
    }
    return {};
}

namespace {
Result<> move_aside(const fs::path& path) {
    const auto name = fmt::format("{}.corrupt-{}", path.native(), static_cast<std::int64_t>(std::time(nullptr)));
    std::string target = name;
    std::error_code error;
    for (int n = 2; fs::exists(target, error); ++n) target = fmt::format("{}-{}", name, n);
    fs::rename(path, target, error);
    if (error)
        return fail(system_error(fmt::format("moving the damaged database '{}' aside", path.native()), error.value()));
    fs::rename(path.native() + "-wal", target + "-wal", error);
    fs::remove(path.native() + "-shm", error);
    log::error("The database '{}' is damaged. It was moved to '{}' and a new one is begun.", path.native(), target);
    return {};
}

Result<> prepare(Database::State& state, std::span<const std::string_view> migrations) {
    if (auto connected = state.connect(); !connected) return connected;
    if (auto checked = state.check(); !checked) return checked;
    return state.migrate(migrations);
}
}  // namespace

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const fs::path& path, std::span<const std::string_view> migrations) {
    for (bool again = false;; again = true) {
        auto state = std::make_unique<State>(path);
        const auto prepared = prepare(*state, migrations);
        if (prepared) return std::make_unique<Database>(std::move(state));
        if (!state->damaged || again) return fail(prepared.error());
        log::warn("{}", prepared.error().text);
        state.reset();
        if (auto moved = move_aside(path); !moved) return fail(moved.error());
    }
}

Result<std::vector<Row>> Database::query(std::string_view sql, const std::vector<SqlValue>& values) {
    std::vector<Row> rows;
    auto ran = state_->run(sql, values, [&](sqlite3_stmt* row) {
        std::vector<SqlValue> columns;
        const int count = sqlite3_column_count(row);
        columns.reserve(static_cast<std::size_t>(count));
        for (int at = 0; at < count; ++at) {
            switch (sqlite3_column_type(row, at)) {
                case SQLITE_NULL: columns.emplace_back(nullptr); break;
                case SQLITE_INTEGER:
                    columns.emplace_back(static_cast<std::int64_t>(sqlite3_column_int64(row, at)));
                    break;
                case SQLITE_FLOAT: columns.emplace_back(sqlite3_column_double(row, at)); break;
                default: {
                    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(row, at));
                    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(row, at));
                    columns.emplace_back(bytes ? std::string(bytes, size) : std::string());
                }
            }
        }
        rows.emplace_back(std::move(columns));
    });
    if (!ran) return fail(ran.error());
    return rows;
}

Result<std::int64_t> Database::execute(std::string_view sql, const std::vector<SqlValue>& values) {
    auto ran = state_->run(sql, values, [](sqlite3_stmt*) {});
    if (!ran) return fail(ran.error());
    return static_cast<std::int64_t>(sqlite3_changes64(state_->handle));
}

Result<> Database::transaction(const std::function<Result<>()>& work) {
    auto& state = *state_;
    const bool outermost = state.depth == 0;
    if (auto begun = state.run_script(outermost ? "BEGIN IMMEDIATE" : "SAVEPOINT inner_work"); !begun) return begun;
    ++state.depth;
    // Undoes unless told that all went well: also when `work` throws.
    struct Guard {
        State& state;
        bool outermost;
        bool done{false};
        ~Guard() {
            --state.depth;
            if (done) return;
            const auto* undo = outermost ? "ROLLBACK" : "ROLLBACK TO inner_work; RELEASE inner_work";
            sqlite3_exec(state.handle, undo, nullptr, nullptr, nullptr);
        }
    } guard{state, outermost};
    if (auto worked = work(); !worked) return worked;
    auto committed = state.run_script(outermost ? "COMMIT" : "RELEASE inner_work");
    guard.done = committed.has_value();
    return committed;
}

}  // namespace skerry::storage
