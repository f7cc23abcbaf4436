#include "hub/state_store.hpp"

#include "base/loop.hpp"
#include "base/random.hpp"
#include "hub/certificates.hpp"
#include "hub/own_twin.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;

namespace {
Task<Result<std::string>> reversed(std::string text, std::string) {
    std::ranges::reverse(text);
    co_return text;
}
Task<Result<std::string>> refused(std::string, std::string) { co_return fail(Errc::unauthorized, "wrong key"); }
Task<Result<std::string>> unreachable(std::string, std::string) { co_return fail(Errc::unreachable, "no daemon"); }

const KeyWrapper good{reversed, reversed};

void with_store(Task<> (*body)(const std::filesystem::path& file, Worker& worker, Random& random)) {
    Loop loop;
    const sim::TemporaryFolder folder;
    const auto worker = make_inline_worker();
    SystemRandom random;
    const auto main = [&](Event&) -> Task<int> {
        co_await body(folder / "hub.db", *worker, random);
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}
}  // namespace

TEST_CASE("records survive, and can't be read in the file") {
    with_store([](const std::filesystem::path& file, Worker& worker, Random& random) -> Task<> {
        {
            const auto store = (co_await StateStore::open(file, worker, good, random)).value();
            REQUIRE(co_await store->save(StateKind::identity, "d/m", "a primary key"));
            REQUIRE(co_await store->save(StateKind::identity, "d", std::string("with \0 inside", 13)));
            REQUIRE(co_await store->save(StateKind::twin, "d/m", "a twin"));
        }
        const auto store = (co_await StateStore::open(file, worker, good, random)).value();
        const auto identities = (co_await store->load_all(StateKind::identity)).value();
        CHECK(identities.size() == 2);
        CHECK((co_await store->load(StateKind::identity, "d")).value() == std::string("with \0 inside", 13));
        CHECK((co_await store->load(StateKind::identity, "d/m")).value() == "a primary key");
        CHECK_FALSE((co_await store->load(StateKind::subscriptions, "d/m")).value().has_value());

        REQUIRE(co_await store->replace_all(StateKind::identity, {{"e", "another"}}));
        CHECK((co_await store->load_all(StateKind::identity)).value() == StateStore::Records{{"e", "another"}});
        CHECK((co_await store->load(StateKind::identity, "e")).value() == "another");
        CHECK_FALSE((co_await store->load(StateKind::identity, "d")).value().has_value());
        CHECK((co_await store->load(StateKind::twin, "d/m")).value() == "a twin");
        REQUIRE(co_await store->remove(StateKind::twin, "d/m"));
        CHECK_FALSE((co_await store->load(StateKind::twin, "d/m")).value().has_value());

        for (const auto* name : {"hub.db", "hub.db-wal"}) {
            std::ifstream in(file.parent_path() / name, std::ios::binary);
            std::ostringstream text;
            text << in.rdbuf();
            CHECK_FALSE(text.str().contains("a primary key"));
        }
    });
}

TEST_CASE("a lost key means an empty store that works, never a hub that does not start") {
    with_store([](const std::filesystem::path& file, Worker& worker, Random& random) -> Task<> {
        {
            const auto store = (co_await StateStore::open(file, worker, good, random)).value();
            REQUIRE(co_await store->save(StateKind::twin, "d", "old"));
        }
        {
            const auto store = (co_await StateStore::open(file, worker, {reversed, refused}, random)).value();
            CHECK((co_await store->load_all(StateKind::twin)).value().empty());
            REQUIRE(co_await store->save(StateKind::twin, "d", "new"));
        }
        const auto store = (co_await StateStore::open(file, worker, good, random)).value();
        CHECK((co_await store->load(StateKind::twin, "d")).value() == "new");
    });
}

TEST_CASE("a daemon that is not there is waited for, the state stays") {
    with_store([](const std::filesystem::path& file, Worker& worker, Random& random) -> Task<> {
        {
            const auto store = (co_await StateStore::open(file, worker, good, random)).value();
            REQUIRE(co_await store->save(StateKind::twin, "d", "kept"));
        }
        CHECK((co_await StateStore::open(file, worker, {reversed, unreachable}, random)).error().code ==
              Errc::unreachable);
        const auto store = (co_await StateStore::open(file, worker, good, random)).value();
        CHECK((co_await store->load(StateKind::twin, "d")).value() == "kept");
    });
}

TEST_CASE("a damaged record is left out, the others are there") {
    with_store([](const std::filesystem::path& file, Worker& worker, Random& random) -> Task<> {
        {
            const auto store = (co_await StateStore::open(file, worker, good, random)).value();
            for (const auto* id : {"a", "b", "c"}) REQUIRE(co_await store->save(StateKind::twin, id, id));
        }
        {
            constexpr std::array<std::string_view, 1> applied{""};
            const auto database = storage::Database::open(file, applied).value();
            REQUIRE(database->execute(
                "UPDATE records SET value = 'bm90IHNlYWxlZCBhdCBhbGwgYnkgYW55Ym9keQ==' WHERE id = 'b'"));
            // A sealed value in another's place does not open either.
            REQUIRE(database->execute(
                "UPDATE records SET value = (SELECT value FROM records WHERE id = 'a') WHERE id = 'c'"));
        }
        const auto store = (co_await StateStore::open(file, worker, good, random)).value();
        CHECK((co_await store->load_all(StateKind::twin)).value() == StateStore::Records{{"a", "a"}});
    });
}

TEST_CASE("a certificate is renewed after four fifths of its life, and five minutes before its end at the latest") {
    const WallTime start{};
    CHECK(renewal_time(start, start + 100h) == start + 80h);
    CHECK(renewal_time(start, start + 10min) == start + 5min);
    CHECK(renewal_time(start, start - 1h) <= start);
}

TEST_CASE("client ids become property names") {
    CHECK(client_key("edge1/my.module") == "edge1/my%2Emodule");
    CHECK(client_key("edge1/$edgeAgent") == "edge1/%24edgeAgent");
    CHECK(client_key("a#b c%") == "a%23b%20c%25");
}
