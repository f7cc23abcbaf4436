#include "storage/database.hpp"

#include "sim/temporary_folder.hpp"
#include "storage/files.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace skerry;
using namespace skerry::storage;

namespace {
constexpr std::array<std::string_view, 2> migrations{
    "CREATE TABLE twin (id TEXT PRIMARY KEY, version INTEGER NOT NULL, body TEXT); CREATE INDEX by_version ON "
    "twin(version)",
    "ALTER TABLE twin ADD COLUMN weight REAL",
};

std::unique_ptr<Database> open(const std::filesystem::path& path) {
    auto opened = Database::open(path, migrations);
    REQUIRE_MESSAGE(opened, opened.error().text);
    return std::move(*opened);
}
constexpr auto put = "INSERT INTO twin (id, version, body, weight) VALUES (?1, ?2, ?3, ?4)";
}  // namespace

TEST_CASE("a database gives back every kind of value, also after it was opened again") {
    const sim::TemporaryFolder folder;
    const std::string bytes("a\0b", 3);
    {
        const auto database = open(folder / "state.db");
        CHECK(database->execute(put, {"one", std::int64_t{1} << 40, bytes, 0.5}).value() == 1);
        CHECK(database->execute(put, {"two", std::int64_t{2}, nullptr, nullptr}).value() == 1);
    }
    const auto database = open(folder / "state.db");
    const auto rows = database->query("SELECT id, version, body, weight FROM twin ORDER BY id").value();
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].text(0) == "one");
    CHECK(rows[0].integer(1) == std::int64_t{1} << 40);
    CHECK(rows[0].text(2) == bytes);
    CHECK(rows[0].real(3) == 0.5);
    CHECK(rows[1].is_null(2));
    CHECK(rows[1].text(2).empty());
    CHECK(rows[1].integer(2) == 0);
    CHECK(database->execute("UPDATE twin SET version = ?1", {std::int64_t{9}}).value() == 2);
}

TEST_CASE("only the owner can read a database") {
    const sim::TemporaryFolder folder;
    const auto database = open(folder / "state.db");
    REQUIRE(database->execute(put, {"one", std::int64_t{1}, nullptr, nullptr}));
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
        CHECK((entry.status().permissions() & std::filesystem::perms(0077)) == std::filesystem::perms::none);
}

TEST_CASE("new migrations run once, and a database of a newer version is refused and kept") {
    const sim::TemporaryFolder folder;
    const auto path = folder / "state.db";
    {
        auto old = Database::open(path, std::span(migrations).first(1)).value();
        REQUIRE(old->execute("INSERT INTO twin (id, version) VALUES ('one', 1)"));
    }
    CHECK(open(path)->query("SELECT weight FROM twin").value().size() == 1);
    const auto refused = Database::open(path, std::span(migrations).first(1));
    CHECK(refused.error().code == Errc::unsupported);
    CHECK(open(path)->query("SELECT * FROM twin").value().size() == 1);

    const std::array<std::string_view, 3> broken{migrations[0], migrations[1], "CREATE TABLE x (y); NONSENSE"};
    CHECK(Database::open(path, broken).error().text.find("migration 3") != std::string::npos);
    CHECK(open(path)->query("SELECT name FROM sqlite_master WHERE name = 'x'").value().empty());
}

TEST_CASE("a failed transaction leaves nothing, and an inner one undoes only itself") {
    const auto database = open(":memory:");
    const auto count = [&] { return database->query("SELECT count(*) FROM twin").value()[0].integer(0); };
    const auto add = [&](const char* id) -> Result<> {
        auto added = database->execute(put, {id, std::int64_t{1}, nullptr, nullptr});
        if (!added) return fail(added.error());
        return {};
    };
    const auto failed = database->transaction([&]() -> Result<> {
        REQUIRE(add("a"));
        return add("a");
    });
    CHECK(failed.error().code == Errc::conflict);
    CHECK(count() == 0);
    REQUIRE(database->transaction([&]() -> Result<> {
        REQUIRE(add("a"));
        CHECK_FALSE(database->transaction([&]() -> Result<> {
            REQUIRE(add("b"));
            return fail(Errc::full, "on purpose");
        }));
        return database->transaction([&] { return add("c"); });
    }));
    CHECK(database->query("SELECT id FROM twin ORDER BY id").value()[1].text(0) == "c");
    CHECK(count() == 2);
    CHECK_THROWS((void)database->transaction([&]() -> Result<> {
        REQUIRE(add("d"));
        throw std::runtime_error("on purpose");
    }));
    CHECK(count() == 2);
}

TEST_CASE("foreign keys hold, and wrong statements are errors that name the statement") {
    const auto database = open(":memory:");
    REQUIRE(database->execute("CREATE TABLE child (twin TEXT REFERENCES twin(id))"));
    CHECK(database->execute("INSERT INTO child VALUES ('nobody')").error().code == Errc::conflict);
    CHECK(database->query("SELEC 1").error().text.find("SELEC 1") != std::string::npos);
    CHECK_FALSE(database->query("SELECT ?1"));
    CHECK_FALSE(database->query("SELECT 1; SELECT 2"));
    CHECK_FALSE(database->query(""));
}

TEST_CASE("more statements than are kept all go on working") {
    const auto database = open(":memory:");
    for (int round = 0; round < 2; ++round)
        for (int n = 0; n < 200; ++n) CHECK(database->query("SELECT " + std::to_string(n)).value()[0].integer(0) == n);
}

TEST_CASE("a damaged database is moved aside and a new one begun") {
    const sim::TemporaryFolder folder;
    const auto files = make_system_files();
    const auto path = folder / "state.db";
    const auto aside = [&] {
        int count = 0;
        for (const auto& name : files->list(folder.path()).value())
            if (name.find("state.db.corrupt-") == 0 && !name.ends_with("-wal")) ++count;
        return count;
    };
    SUBCASE("that was never one") { REQUIRE(replace_file(*files, path, "this is not a database, but a long text")); }
    SUBCASE("in a page in the middle") {
        {
            const auto database = open(path);
            REQUIRE(database->transaction([&]() -> Result<> {
                for (int n = 0; n < 500; ++n)
                    REQUIRE(
                        database->execute(put, {std::to_string(n), std::int64_t{n}, std::string(100, 'x'), nullptr}));
                return {};
            }));
        }
        auto file = files->open(path, Files::Mode::read_write).value();
        REQUIRE(file->write_at(4096 * 3, std::string(4096, '\xee')));
    }
    const auto database = open(path);
    CHECK(database->query("SELECT * FROM twin").value().empty());
    CHECK(aside() == 1);
    REQUIRE(database->execute(put, {"one", std::int64_t{1}, nullptr, nullptr}));
}

TEST_CASE("a database in a folder that isn't there is an error") {
    const sim::TemporaryFolder folder;
    CHECK(Database::open(folder / "none/state.db", migrations).error().code == Errc::not_found);
}
