#include "daemon/keys.hpp"

#include "crypto/crypto.hpp"
#include "daemon/edge_ca.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <fstream>

using namespace skerry;
using namespace skerry::daemon;
using namespace std::chrono_literals;

namespace {
// A clock that stands still until it is moved.
class HandClock final : public Clock {
public:
    WallTime now{std::chrono::sys_days{std::chrono::year(2024) / 1 / 1}};
    WallTime wall() const override { return now; }
    SteadyTime steady() const override { return SteadyTime(now.time_since_epoch()); }
    Task<> sleep_until(SteadyTime) override { co_return; }
};

struct Fixture {
    sim::TemporaryFolder folder;
    SystemRandom random;
    HandClock clock;
    std::unique_ptr<storage::Files> files{storage::make_system_files()};

    Keys keys() { return Keys::open(*files, random, folder / "keys", std::nullopt).value(); }
    EdgeCa ca(EdgeCaConfig config = {}) {
        return EdgeCa::open(*files, clock, folder / "keys", std::move(config), "edge-1").value();
    }
};
}  // namespace

TEST_CASE("keys are made once, and a module's key depends on module and generation") {
    Fixture fixture;
    const auto first = fixture.keys();
    const auto again = fixture.keys();
    CHECK(first.module_key("m", "1", "primary") == again.module_key("m", "1", "primary"));
    CHECK(first.module_key("m", "1", "primary") != first.module_key("m", "2", "primary"));
    CHECK(first.module_key("m", "1", "primary") != first.module_key("n", "1", "primary"));
    CHECK(first.module_key("m", "1", "primary") != first.module_key("m", "1", "secondary"));
    CHECK(first.module_key("m", "1", "primary").size() == 32);
}

TEST_CASE("what is encrypted for one module and generation opens for that one only") {
    Fixture fixture;
    const auto keys = fixture.keys();
    const auto sealed = keys.encrypt("$edgeHub", "1", "iv", "plain").value();
    CHECK(sealed.front() == '\x02');
    CHECK(sealed.size() == 1 + 5 + 16);
    CHECK(keys.decrypt("$edgeHub", "1", "iv", sealed).value() == "plain");
    CHECK_FALSE(keys.decrypt("$edgeHub", "2", "iv", sealed));
    CHECK_FALSE(keys.decrypt("other", "1", "iv", sealed));
    CHECK_FALSE(keys.decrypt("$edgeHub", "1", "vi", sealed));
    CHECK_FALSE(keys.decrypt("$edgeHub", "1", "iv", "short"));
    const auto former = '\x01' + sealed.substr(6) + sealed.substr(1, 5);
    CHECK(keys.decrypt("$edgeHub", "1", "iv", former).value() == "plain");
}

TEST_CASE("a damaged key is set aside and the daemon goes on with a new one") {
    Fixture fixture;
    const auto before = fixture.keys().module_key("m", "1", "primary");
    std::ofstream(fixture.folder / "keys/identity.key") << "too short";
    CHECK(fixture.keys().module_key("m", "1", "primary") != before);
    CHECK(std::filesystem::exists(fixture.folder / "keys/identity.key.damaged"));
}

TEST_CASE("an imported master key is used, and must have 32 bytes") {
    Fixture fixture;
    std::ofstream(fixture.folder / "imported") << std::string(32, 'k');
    const auto keys = Keys::open(*fixture.files, fixture.random, fixture.folder / "keys", fixture.folder / "imported");
    REQUIRE(keys);
    const auto sealed = keys->encrypt("m", "g", "iv", "x").value();
    CHECK(crypto::aes_gcm_decrypt(std::string(32, 'k'), "iv", "mg", sealed.substr(1)).value() == "x");
    std::ofstream(fixture.folder / "imported") << "short";
    CHECK_FALSE(Keys::open(*fixture.files, fixture.random, fixture.folder / "keys", fixture.folder / "imported"));
}

TEST_CASE("server certificates carry the dialed name and the module's, and lead to the Edge CA") {
    Fixture fixture;
    const auto ca = fixture.ca();
    const auto issued = ca.issue_server("Gateway.local", "$edgeHub", std::nullopt).value();
    const auto leaf = crypto::parse_certificate(issued.chain_pem).value();
    CHECK(leaf.common_name == "Gateway.local");
    CHECK(leaf.dns_names == std::vector<std::string>{"Gateway.local", "edgehub"});
    CHECK(crypto::key_matches_certificate(issued.key_pem, issued.chain_pem));
    CHECK(crypto::verify_chain(crypto::split_certificates(issued.chain_pem).value(), ca.bundle(), fixture.clock.now));
    CHECK(issued.expires == fixture.clock.now + 30 * 24h);

    const auto by_address = ca.issue_server("10.0.0.1", "m", std::nullopt).value();
    CHECK(crypto::parse_certificate(by_address.chain_pem)->dns_names == std::vector<std::string>{"m"});
    CHECK(ca.issue_server("h", "m", fixture.clock.now + 1h)->expires == fixture.clock.now + 1h);
    CHECK(ca.issue_server("h", "m", fixture.clock.now + 10000h)->expires <= ca.expires());
    CHECK_FALSE(ca.issue_server("", "m", std::nullopt));
    CHECK_FALSE(ca.issue_server("h", "m", fixture.clock.now - 1h));
    CHECK(crypto::parse_certificate(ca.issue_identity("hub", "d", "m")->chain_pem)->common_name == "m");
}

TEST_CASE("the Edge CA lasts, and renews itself so that former certificates are still trusted") {
    Fixture fixture;
    auto ca = fixture.ca();
    const auto first = ca.bundle();
    CHECK(fixture.ca().bundle() == first);
    CHECK(crypto::parse_certificate(first)->common_name == "aziot-edge CA edge-1");
    const auto due = ca.renewal().value();
    CHECK(due > fixture.clock.now + 71 * 24h);
    CHECK(due < fixture.clock.now + 73 * 24h);

    fixture.clock.now = due;
    REQUIRE(ca.renew());
    CHECK(ca.renewal().value() > due);
    CHECK(crypto::split_certificates(ca.bundle())->size() == 2);
    // Who has only the former certificate trusts what is issued now.
    const auto issued = ca.issue_server("h", "m", std::nullopt).value();
    const auto chain = crypto::split_certificates(issued.chain_pem).value();
    CHECK(crypto::verify_chain({chain.front()}, first, fixture.clock.now));
    CHECK(fixture.ca().bundle() == ca.bundle());
    fixture.clock.now += 30 * 24h;
    CHECK(crypto::split_certificates(ca.bundle())->size() == 1);
}

TEST_CASE("a rotated key gives a new authority beside the former; an expired or broken one is made anew") {
    Fixture fixture;
    EdgeCaConfig config;
    config.rotate_key = true;
    auto ca = fixture.ca(config);
    const auto first = ca.bundle();
    REQUIRE(ca.renew());
    CHECK(crypto::split_certificates(ca.bundle())->size() == 2);
    CHECK_FALSE(
        crypto::verify_chain({crypto::split_certificates(ca.issue_server("h", "m", std::nullopt)->chain_pem)->front()},
                             first, fixture.clock.now));
    fixture.clock.now += 200 * 24h;
    CHECK(fixture.ca().expires() > fixture.clock.now);
    std::ofstream(fixture.folder / "keys/edge-ca.pem") << "garbage";
    CHECK(fixture.ca().issue_server("h", "m", std::nullopt));
}

TEST_CASE("a preloaded Edge CA is used as it is") {
    Fixture fixture;
    const auto made = fixture.ca();
    EdgeCaConfig config;
    config.certificate = fixture.folder / "keys/edge-ca.pem";
    config.key = fixture.folder / "keys/edge-ca.key.pem";
    const auto ca = EdgeCa::open(*fixture.files, fixture.clock, fixture.folder / "other", config, "d");
    REQUIRE(ca);
    CHECK(ca->bundle() == made.bundle());
    CHECK_FALSE(ca->renewal());
    config.key = fixture.folder / "none";
    CHECK_FALSE(EdgeCa::open(*fixture.files, fixture.clock, fixture.folder / "other", config, "d"));
}
