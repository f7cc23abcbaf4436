// Devices that prove with a certificate who they are, over real TLS.
#include "hub/test_hub.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;
namespace wire = codec::mqtt;

namespace {

crypto::CertificateRequest for_name(std::string name, WallTime now, Duration from = -1h, Duration to = 24h) {
    return {.common_name = std::move(name),
            .client_auth = true,
            .not_before = now + std::chrono::duration_cast<WallTime::duration>(from),
            .not_after = now + std::chrono::duration_cast<WallTime::duration>(to)};
}

crypto::Certificate read(const TestCertificate& certificate) {
    return crypto::parse_certificate(certificate.chain).value();
}

std::string lower(std::string text) {
    for (auto& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    return text;
}

iothub::ScopeIdentity with_thumbprints(std::string_view id, std::string primary, std::string secondary) {
    auto known = scope_identity(id);
    known.authentication_type = "selfSigned";
    known.keys = {};
    known.primary_thumbprint = std::move(primary);
    known.secondary_thumbprint = std::move(secondary);
    return known;
}

iothub::ScopeIdentity signed_by_authority(std::string_view id) {
    auto known = scope_identity(id);
    known.authentication_type = "certificateAuthority";
    known.keys = {};
    return known;
}

// CONNECT without a password, as SDKs send it with a certificate.
wire::Connect without_token(std::string_view id) {
    auto connect = connect_packet(id, "");
    connect.password.reset();
    return connect;
}

Task<wire::ConnectCode> answer_to(TestHub& hub, const TestCertificate* certificate, wire::Connect connect) {
    const auto client = co_await hub.dial(certificate);
    co_return (co_await client->handshake(std::move(connect))).code;
}

Task<std::unique_ptr<TestClient>> connect_with(TestHub& hub, const TestCertificate& certificate, std::string id) {
    auto client = co_await hub.dial(&certificate);
    const auto answer = co_await client->handshake(without_token(id));
    REQUIRE(answer.code == wire::ConnectCode::accepted);
    co_return client;
}

// What the cloud says of the device "leaf", and what the client shows.
struct Setting {
    iothub::ScopeIdentity known = scope_identity("leaf");
    TestCertificate certificate;
    wire::Connect connect = without_token("leaf");
};

struct Case {
    std::string what;
    wire::ConnectCode expected;
    std::function<void(TestHub&, Setting&)> change;
};

TestCertificate own(TestHub& hub, std::string name = "leaf", Duration from = -1h, Duration to = 24h) {
    return make_certificate(for_name(std::move(name), hub.clock.wall(), from, to));
}
TestCertificate issued(TestHub& hub, std::string name = "leaf", Duration from = -1h, Duration to = 24h) {
    return make_certificate(for_name(std::move(name), hub.clock.wall(), from, to), &hub.authority);
}

void thumbprint(TestHub& hub, Setting& setting) {
    setting.certificate = own(hub, "any name");
    setting.known = with_thumbprints("leaf", read(setting.certificate).sha256_thumbprint, "");
}
void authority(TestHub& hub, Setting& setting) {
    setting.certificate = issued(hub);
    setting.known = signed_by_authority("leaf");
}

std::vector<Case> thumbprint_cases() {
    using enum wire::ConnectCode;
    return {
        {"its SHA-256 thumbprint", accepted, thumbprint},
        {"its SHA-1 thumbprint, the second one, in lower case", accepted,
         [](TestHub& hub, Setting& setting) {
             thumbprint(hub, setting);
             setting.known =
                 with_thumbprints("leaf", std::string(40, 'A'), lower(read(setting.certificate).sha1_thumbprint));
         }},
        {"an empty password", accepted,
         [](TestHub& hub, Setting& setting) {
             thumbprint(hub, setting);
             setting.connect = connect_packet("leaf", "");
         }},
        {"another certificate", not_authorized,
         [](TestHub& hub, Setting& setting) {
             thumbprint(hub, setting);
             setting.certificate = own(hub, "any name");
         }},
        {"an expired certificate", not_authorized,
         [](TestHub& hub, Setting& setting) {
             setting.certificate = own(hub, "leaf", -48h, -1min);
             setting.known = with_thumbprints("leaf", read(setting.certificate).sha256_thumbprint, "");
         }},
        {"a certificate of tomorrow", not_authorized,
         [](TestHub& hub, Setting& setting) {
             setting.certificate = own(hub, "leaf", 24h, 48h);
             setting.known = with_thumbprints("leaf", read(setting.certificate).sha256_thumbprint, "");
         }},
        {"no thumbprint in the cloud", not_authorized,
         [](TestHub& hub, Setting& setting) {
             setting.certificate = own(hub);
             setting.known = with_thumbprints("leaf", "", "");
         }},
        {"a certificate of the trusted authority instead of its own", not_authorized,
         [](TestHub& hub, Setting& setting) {
             thumbprint(hub, setting);
             setting.certificate = issued(hub);
         }},
        {"a disabled device", not_authorized,
         [](TestHub& hub, Setting& setting) {
             thumbprint(hub, setting);
             setting.known.enabled = false;
         }},
        {"no certificate at all", not_authorized,
         [](TestHub& hub, Setting& setting) {
             thumbprint(hub, setting);
             setting.certificate = {};
         }},
        {"a token beside the right certificate: the token counts", not_authorized,
         [](TestHub& hub, Setting& setting) {
             thumbprint(hub, setting);
             setting.connect = connect_packet("leaf", hub.token("leaf", key_of("leaf")));
         }},
        {"another client id", not_authorized,
         [](TestHub& hub, Setting& setting) {
             thumbprint(hub, setting);
             setting.connect.client_id = "leaf2";
         }},
    };
}

std::vector<Case> authority_cases() {
    using enum wire::ConnectCode;
    return {
        {"an issued certificate with its name", accepted, authority},
        {"an issued certificate of an intermediate", accepted,
         [](TestHub& hub, Setting& setting) {
             authority(hub, setting);
             auto request = for_name("Intermediate", hub.clock.wall());
             request.is_ca = true;
             const auto root = make_certificate({.common_name = "Root",
                                                 .is_ca = true,
                                                 .path_length = 1,
                                                 .not_before = request.not_before,
                                                 .not_after = request.not_after});
             hub.authority.chain += root.chain;
             const auto intermediate = make_certificate(request, &root);
             setting.certificate = make_certificate(for_name("leaf", hub.clock.wall()), &intermediate);
         }},
        {"another name", not_authorized,
         [](TestHub& hub, Setting& setting) {
             authority(hub, setting);
             setting.certificate = issued(hub, "Leaf");
         }},
        {"an authority nobody trusts", not_authorized,
         [](TestHub& hub, Setting& setting) {
             authority(hub, setting);
             auto request = for_name("Devices of the test", hub.clock.wall());
             request.is_ca = true;
             const auto stranger = make_certificate(request);
             setting.certificate = make_certificate(for_name("leaf", hub.clock.wall()), &stranger);
         }},
        {"a certificate signed by itself", not_authorized,
         [](TestHub& hub, Setting& setting) {
             authority(hub, setting);
             setting.certificate = own(hub);
         }},
        {"an expired certificate", not_authorized,
         [](TestHub& hub, Setting& setting) {
             authority(hub, setting);
             setting.certificate = issued(hub, "leaf", -48h, -1min);
         }},
        {"a certificate of tomorrow", not_authorized,
         [](TestHub& hub, Setting& setting) {
             authority(hub, setting);
             setting.certificate = issued(hub, "leaf", 24h, 48h);
         }},
        {"the authority's own certificate", not_authorized,
         [](TestHub& hub, Setting& setting) {
             authority(hub, setting);
             auto request = for_name("leaf", hub.clock.wall());
             request.is_ca = true;
             setting.certificate = make_certificate(request, &hub.authority);
         }},
        {"a server's certificate of the same authority", not_authorized,
         [](TestHub& hub, Setting& setting) {
             authority(hub, setting);
             auto request = for_name("leaf", hub.clock.wall());
             request.client_auth = false;
             request.server_auth = true;
             setting.certificate = make_certificate(request, &hub.authority);
         }},
        {"a device that has keys", not_authorized,
         [](TestHub& hub, Setting& setting) {
             authority(hub, setting);
             setting.known = scope_identity("leaf");
         }},
        {"a device without any authentication", not_authorized,
         [](TestHub& hub, Setting& setting) {
             authority(hub, setting);
             setting.known.authentication_type = "none";
         }},
        {"a module, which never has a certificate", not_authorized,
         [](TestHub& hub, Setting& setting) {
             setting.known = signed_by_authority("leaf/m");
             setting.certificate = issued(hub, "leaf/m");
             setting.connect = without_token("leaf/m");
         }},
        {"a module of such a device, with a token", accepted,
         [](TestHub& hub, Setting& setting) {
             setting.certificate = issued(hub);
             setting.known = scope_identity("leaf/m");
             setting.connect = connect_packet("leaf/m", hub.token("leaf/m", key_of("leaf/m")));
             hub.cloud.identities.push_back(signed_by_authority("leaf"));
         }},
    };
}

// Each case meets a hub that has just started and knows what the cloud says.
void run_all(const std::vector<Case>& cases) {
    for (const auto& one : cases) {
        INFO(one.what);
        with_hub([&one](TestHub& hub) -> Task<> {
            co_await hub.stop();
            Setting setting;
            one.change(hub, setting);
            hub.cloud.identities.push_back(setting.known);
            co_await hub.start();
            const auto* const shown = setting.certificate.chain.empty() ? nullptr : &setting.certificate;
            CHECK(co_await answer_to(hub, shown, setting.connect) == one.expected);
        });
    }
}

}  // namespace

TEST_CASE("a device with thumbprints in the cloud is let in with one of these certificates, and nobody else") {
    run_all(thumbprint_cases());
}

TEST_CASE("a device of a trusted authority is let in with a certificate of its name") { run_all(authority_cases()); }

TEST_CASE("a device with a certificate sends as itself, offline and after a restart too") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            const auto certificate = own(hub);
            hub.cloud.identities.push_back(with_thumbprints("late", read(certificate).sha1_thumbprint, ""));
            {
                const auto late = co_await connect_with(hub, certificate, "late");
                co_await late->publish("devices/late/messages/events/", "hello");
                co_await hub.eventually([&hub] { return hub.cloud.bodies_of("late").size() == 1; });
            }
            CHECK(hub.cloud.questions == 1);
            hub.go_offline();
            (void)co_await connect_with(hub, certificate, "late");
            co_await hub.stop();
            co_await hub.start();
            (void)co_await connect_with(hub, certificate, "late");
            CHECK(hub.cloud.questions == 1);
        },
        {"FROM /messages/* INTO $upstream"});
}

TEST_CASE("a session with a certificate ends when the cloud has another one, or none, and when it runs out") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto old = own(hub);
        const auto fresh = own(hub);
        const auto brief = own(hub, "brief", -1h, 2s);
        hub.cloud.identities.push_back(
            with_thumbprints("leaf", read(old).sha1_thumbprint, read(fresh).sha1_thumbprint));
        hub.cloud.identities.push_back(with_thumbprints("brief", read(brief).sha256_thumbprint, ""));
        hub.go_online();
        const auto with_old = co_await connect_with(hub, old, "leaf");
        const auto soon_over = co_await connect_with(hub, brief, "brief");

        hub.cloud.identities[4].primary_thumbprint.clear();
        hub.go_online();
        CHECK_FALSE((co_await with_old->receive()).has_value());
        const auto with_fresh = co_await connect_with(hub, fresh, "leaf");
        hub.cloud.identities[4].authentication_type = "sas";
        hub.go_online();
        CHECK_FALSE((co_await with_fresh->receive()).has_value());
        CHECK(co_await answer_to(hub, &fresh, without_token("leaf")) == wire::ConnectCode::not_authorized);
        CHECK(co_await answer_to(hub, &old, without_token("leaf")) == wire::ConnectCode::not_authorized);

        co_await hub.clock.sleep(2500ms);
        CHECK(co_await answer_to(hub, &brief, without_token("brief")) == wire::ConnectCode::not_authorized);
    });
}

TEST_CASE("over HTTPS a certificate does not stand for a module, and a module's token still does") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto certificate = issued(hub, "edge1/sensor");
        codec::HttpRequest call;
        call.method = "POST";
        call.target = "/twins/leaf1/methods";
        call.headers.set("x-ms-edge-moduleId", "edge1/sensor");
        call.body = R"({"methodName":"m"})";
        CHECK((co_await hub.ask(call, &certificate)).status == 401);
        call.headers.set("Authorization", hub.token("edge1/sensor", key_of("edge1/sensor")));
        CHECK((co_await hub.ask(call, &certificate)).status == 404);  // known, but leaf1 is not connected
    });
}
