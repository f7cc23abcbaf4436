// SQLite behind values: WAL, synchronous=FULL, one file per role, numbered migrations. SQLite's types stay in
// database.cpp.
//
// Threads: one at a time. Calls block for a short while (a commit is one fsync): off the message path, or on a Worker.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace skerry::storage {

using SqlValue = std::variant<std::nullptr_t, std::int64_t, double, std::string>;

class Row {
public:
    explicit Row(std::vector<SqlValue> values) : values_(std::move(values)) {}
    [[nodiscard]] std::int64_t integer(std::size_t column) const;  // 0 for NULL
    [[nodiscard]] double real(std::size_t column) const;
    [[nodiscard]] const std::string& text(std::size_t column) const;  // empty for NULL; blobs too
    [[nodiscard]] bool is_null(std::size_t column) const;

private:
    std::vector<SqlValue> values_;
};

class Database {
public:
    // Opens or creates; runs those of `migrations` (each one or more statements) that the file has not seen, in one
    // transaction each. A file that SQLite calls corrupt is moved aside to "<name>.corrupt-<unix time>", logged, and
    // a new one begun. ":memory:" for tests.
    [[nodiscard]] static Result<std::unique_ptr<Database>> open(const std::filesystem::path& path,
                                                                std::span<const std::string_view> migrations);
    ~Database();

    // Statements are prepared once and kept. Placeholders are ?1, ?2 …
    [[nodiscard]] Result<std::vector<Row>> query(std::string_view sql, const std::vector<SqlValue>& values = {});
    // The number of changed rows.
    [[nodiscard]] Result<std::int64_t> execute(std::string_view sql, const std::vector<SqlValue>& values = {});
    // Rolls back when `work` fails; the durable point is the successful return.
    [[nodiscard]] Result<> transaction(const std::function<Result<>()>& work);

    struct State;
    explicit Database(std::unique_ptr<State> state);

private:
    std::unique_ptr<State> state_;
};

}  // namespace skerry::storage
