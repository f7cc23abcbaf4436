#include "iothub/credentials.hpp"

#include "iothub/sas.hpp"
#include "sim/world.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::iothub;
using namespace std::chrono_literals;

namespace {
const std::string key = "a key";

struct Signing {
    sim::World world;
    int count{0};
    bool fails{false};
    Credentials credentials{"Hub.example", identity(),
                            [this](std::string text) { return sign(*this, std::move(text)); }, world.clock(), 1h};

    static model::Identity identity() { return model::Identity::module("d1", "$edgeHub").value(); }
    static Task<Result<std::string>> sign(Signing& self, std::string text) {
        ++self.count;
        if (self.fails) co_return fail(Errc::unreachable, "the daemon is away");
        co_return (co_await key_signer(key)(std::move(text))).value();
    }
    std::string token() { return world.run(credentials.token()).value(); }
};
}  // namespace

TEST_CASE("a token names the identity at the hub, is signed with its key and lives as long as asked") {
    Signing signing;
    const auto token = parse_sas(signing.token());
    REQUIRE(token);
    CHECK(is_signed_with(*token, key));
    const std::vector<std::string> hosts{"hub.example"};
    CHECK(covers(*token, hosts, Signing::identity()));
    CHECK_FALSE(covers(*token, hosts, model::Identity::module("d1", "other").value()));
    CHECK(token->expires() - signing.world.clock().wall() == 1h);
    CHECK(signing.credentials.expires() - signing.world.clock().steady() == 1h);
}

TEST_CASE(
    "a token is used again for half of its life, and signed anew after that, when refused, or when the clock jumped") {
    Signing signing;
    const auto first = signing.token();
    signing.world.clock().advance(29min);
    CHECK(signing.token() == first);
    CHECK(signing.count == 1);
    signing.world.clock().advance(2min);
    const auto second = signing.token();
    CHECK(second != first);
    CHECK(signing.count == 2);

    signing.credentials.forget();
    (void)signing.token();
    CHECK(signing.count == 3);

    signing.world.clock().jump_wall(5min);
    (void)signing.token();
    CHECK(signing.count == 3);
    signing.world.clock().jump_wall(24h * 365);
    const auto after_jump = parse_sas(signing.token());
    CHECK(signing.count == 4);
    CHECK_FALSE(is_expired(*after_jump, signing.world.clock().wall()));
}

TEST_CASE("a signer that fails says for whom, and the next call tries again") {
    Signing signing;
    signing.fails = true;
    const auto failed = signing.world.run(signing.credentials.token());
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Errc::unreachable);
    CHECK(failed.error().text.find("d1/$edgeHub") != std::string::npos);
    signing.fails = false;
    CHECK_FALSE(signing.token().empty());
}

TEST_CASE("a token of somebody else is used as it is, until it ends or was refused") {
    sim::World world;
    const auto leaf = model::Identity::device("leaf").value();
    Credentials given("hub.example", leaf, "its token", world.clock().wall() + 1h, world.clock());
    CHECK(world.run(given.token()).value() == "its token");
    CHECK(given.expires() - world.clock().steady() == 1h);
    CHECK(given.lifetime() == 0s);  // nothing renews it
    world.clock().advance(1h);
    CHECK(world.run(given.token()).error().code == Errc::unauthorized);

    Credentials refused("hub.example", leaf, "its token", WallTime::max(), world.clock());
    CHECK(world.run(refused.token()));
    refused.forget();
    CHECK(world.run(refused.token()).error().code == Errc::unauthorized);
}
