// Who decides: the scope, the cloud, or an edge device below that brings its clients.
#include "hub/test_hub.hpp"

#include "base/encoding.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;
namespace wire = codec::mqtt;

namespace {

using enum wire::ConnectCode;

Task<wire::ConnectCode> answer_to(TestHub& hub, wire::Connect connect) {
    const auto client = co_await hub.dial();
    co_return (co_await client->handshake(std::move(connect))).code;
}

wire::Connect with_own_key(TestHub& hub, std::string_view id) { return connect_packet(id, hub.token(id, key_of(id))); }

Task<> restart_in(TestHub& hub, AuthenticationMode mode) {
    co_await hub.stop();
    hub.settings.authentication = mode;
    co_await hub.start();
}

// "deep" is below "child", which is below this device; "disabled" is below "off", which is not enabled any more.
void add_layers(PaperCloud& cloud) {
    for (auto& known : cloud.identities)
        if (known.identity.id() == edge) known.device_scope = "scope of edge1";
    const auto add = [&cloud](std::string_view id, std::string parent, bool is_edge) {
        auto known = scope_identity(id);
        known.iot_edge = is_edge;
        known.device_scope = is_edge ? fmt::format("scope of {}", id) : parent;
        known.parent_scopes = {std::move(parent)};
        cloud.identities.push_back(std::move(known));
    };
    add("child", "scope of edge1", true);
    add("off", "scope of edge1", true);
    cloud.identities.back().enabled = false;
    add("deep", "scope of child", false);
    add("beside", "scope of edge1", false);
    add("disabled", "scope of off", false);
    for (const auto* id : {"child/$edgeHub", "off/$edgeHub", "child/m", "edge1/$edgeHub"})
        cloud.identities.push_back(scope_identity(id));
}

wire::Connect brought_by(TestHub& hub, std::string_view actor, std::string_view id, std::string_view chain) {
    const auto acting = fmt::format("{}/$edgeHub", actor);
    auto connect = connect_packet(id, hub.token(acting, key_of(acting)));
    connect.user_name =
        fmt::format("hub.example.net/{}/?api-version=2021-04-12&auth-chain={}", id, percent_encode(chain));
    return connect;
}

}  // namespace

TEST_CASE("an edge device below brings its own clients, and nobody else's") {
    with_hub([](TestHub& hub) -> Task<> {
        add_layers(hub.cloud);
        hub.go_online();
        struct Case {
            const char* actor;
            const char* id;
            const char* chain;
            wire::ConnectCode expected;
        };
        for (const auto& [actor, id, chain, expected] : {
                 Case{"child", "deep", "deep;child", accepted},
                 Case{"child", "deep", "deep;child;edge1", not_authorized},  // edge1 is this hub itself
                 Case{"child", "child/m", "child/m;child", accepted},
                 Case{"child", "beside", "beside;child", not_authorized},
                 Case{"child", "deep", "beside;child", not_authorized},
                 Case{"child", "deep", "deep;nobody", not_authorized},
                 Case{"off", "disabled", "disabled;off", not_authorized},
                 Case{"child", "nobody", "nobody;child", not_authorized},
                 Case{"child", "edge1/sensor", "edge1/sensor;child", not_authorized},
             }) {
            INFO(id << " by " << chain);
            CHECK(co_await answer_to(hub, brought_by(hub, actor, id, chain)) == expected);
        }
        // Its own key is no word of the edge device's.
        auto connect = brought_by(hub, "child", "deep", "deep;child");
        connect.password = hub.token("deep", key_of("deep"));
        CHECK(co_await answer_to(hub, connect) == not_authorized);
    });
}

TEST_CASE("who was brought by an edge device goes when that one is disabled") {
    with_hub([](TestHub& hub) -> Task<> {
        add_layers(hub.cloud);
        hub.go_online();
        const auto deep = co_await hub.dial();
        CHECK((co_await deep->handshake(brought_by(hub, "child", "deep", "deep;child"))).code == accepted);
        for (auto& known : hub.cloud.identities)
            if (known.identity.id() == "child") known.enabled = false;
        hub.go_online();
        CHECK_FALSE((co_await deep->receive()).has_value());
    });
}

TEST_CASE("in mode Cloud the cloud decides about tokens, and nobody comes in without it") {
    with_hub([](TestHub& hub) -> Task<> {
        co_await restart_in(hub, AuthenticationMode::cloud);
        hub.cloud.lets_in = {"outsider"};
        const auto outsider = co_await hub.connect("outsider");  // not in the scope at all
        CHECK(co_await answer_to(hub, with_own_key(hub, "leaf1")) == not_authorized);
        CHECK(hub.cloud.questions == 0);
        CHECK(hub.cloud.tokens_shown == 2);
        CHECK(co_await answer_to(hub, with_own_key(hub, "leaf1")) == not_authorized);
        CHECK(hub.cloud.tokens_shown == 2);  // asked a moment ago
        CHECK(co_await answer_to(hub, connect_packet("x", hub.token("x", key_of("x"), -10min))) == not_authorized);
        CHECK(co_await answer_to(hub, connect_packet("x", hub.token("y", key_of("x")))) == not_authorized);
        CHECK(hub.cloud.tokens_shown == 2);  // no need to ask

        hub.go_offline();
        co_await outsider->send(wire::Pingreq{});
        (void)co_await outsider->expect<wire::Pingresp>();
        CHECK(co_await answer_to(hub, with_own_key(hub, "outsider")) == not_authorized);
        hub.go_online();
        const auto again = co_await hub.connect("outsider");
        hub.cloud.listener->on_refused(identity("outsider"));
        CHECK_FALSE((co_await again->receive()).has_value());
    });
}

TEST_CASE("with CacheTokens who was let in by the cloud comes back with the same token while it is away") {
    with_hub([](TestHub& hub) -> Task<> {
        hub.settings.cache_tokens = true;
        co_await restart_in(hub, AuthenticationMode::cloud);
        hub.cloud.lets_in = {"outsider", "other", "brief"};
        const auto token = hub.token("outsider", key_of("outsider"));
        const auto brief = hub.token("brief", key_of("brief"), 1s);
        CHECK(co_await answer_to(hub, connect_packet("outsider", token)) == accepted);
        CHECK(co_await answer_to(hub, connect_packet("brief", brief)) == accepted);
        CHECK(co_await answer_to(hub, with_own_key(hub, "other")) == accepted);

        hub.go_offline();
        CHECK(co_await answer_to(hub, connect_packet("outsider", token)) == accepted);
        const auto another = hub.token("outsider", key_of("outsider"), 2h);
        CHECK(co_await answer_to(hub, connect_packet("outsider", another)) == not_authorized);
        CHECK(co_await answer_to(hub, with_own_key(hub, "leaf1")) == not_authorized);  // never seen by the cloud

        // Also after a restart, which hands the tokens to the way to the cloud; expired ones are forgotten.
        co_await hub.eventually([&hub, expires = hub.clock.wall() + 1100ms] { return hub.clock.wall() > expires; });
        co_await restart_in(hub, AuthenticationMode::cloud_and_scope);
        CHECK(hub.cloud.tokens_used.at("outsider") == token);
        CHECK(hub.cloud.tokens_used.size() == 2);
        CHECK(co_await answer_to(hub, connect_packet("outsider", token)) == accepted);
        CHECK(co_await answer_to(hub, connect_packet("brief", brief)) == not_authorized);

        // The cloud's no is the end of it.
        hub.cloud.lets_in = {};
        hub.go_online();
        CHECK(co_await answer_to(hub, connect_packet("outsider", token)) == not_authorized);
        hub.go_offline();
        CHECK(co_await answer_to(hub, connect_packet("outsider", token)) == not_authorized);
    });
}

TEST_CASE("in mode CloudAndScope the cloud is asked only about whom the scope does not let in") {
    with_hub([](TestHub& hub) -> Task<> {
        co_await restart_in(hub, AuthenticationMode::cloud_and_scope);
        hub.cloud.lets_in = {"outsider"};
        (void)co_await hub.connect("leaf1");
        CHECK(hub.cloud.tokens_shown == 0);
        (void)co_await hub.connect("outsider");
        CHECK(hub.cloud.questions == 1);
        CHECK(hub.cloud.tokens_shown == 1);
        CHECK(co_await answer_to(hub, with_own_key(hub, "stranger")) == not_authorized);
        hub.go_offline();
        (void)co_await hub.connect("leaf1");
        CHECK(co_await answer_to(hub, with_own_key(hub, "outsider")) == not_authorized);
    });
}

TEST_CASE("the cloud's refusal of a client's way makes the hub look who it still is") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto leaf = co_await hub.connect("leaf1");
        const auto sensor = co_await hub.connect("edge1/sensor");
        hub.cloud.listener->on_refused(identity("edge1/sensor"));  // a mistake: it is as it was
        for (auto& known : hub.cloud.identities)
            if (known.identity.id() == "leaf1") known.enabled = false;
        hub.cloud.listener->on_refused(identity("leaf1"));
        CHECK_FALSE((co_await leaf->receive()).has_value());
        CHECK(hub.cloud.questions == 2);
        co_await sensor->send(wire::Pingreq{});
        (void)co_await sensor->expect<wire::Pingresp>();
    });
}

TEST_CASE("an operator's refresh of one identity does not wait for the minute to end") {
    with_hub([](TestHub& hub) -> Task<> {
        hub.cloud.identities.push_back(scope_identity("late"));
        const auto late = co_await hub.connect("late");  // asked about just now
        hub.cloud.identities.back().enabled = false;
        const auto answer = co_await hub.cloud.listener->on_method(
            hub.settings.own, {"RefreshDeviceScopeIdentityCache", R"({"deviceIds":["late"]})"});
        CHECK(answer.status == 200);
        CHECK_FALSE((co_await late->receive()).has_value());
    });
}

TEST_CASE("an operator whose refresh is malformed, or can't be done now, hears why") {
    with_hub([](TestHub& hub) -> Task<> {
        hub.go_offline();
        struct Case {
            const char* payload;
            int status;
            const char* says;
        };
        for (const auto& [payload, status, says] :
             {Case{"{}", 400, "deviceIds"}, Case{R"({"deviceIds":"late"})", 400, "deviceIds"},
              Case{R"({"deviceIds":[7]})", 400, "7"}, Case{R"({"deviceIds":["late","la te"]})", 400, "la te"},
              Case{R"({"deviceIds":["late","later"]})", 500, "late later"}}) {
            const auto answer =
                co_await hub.cloud.listener->on_method(hub.settings.own, {"RefreshDeviceScopeIdentityCache", payload});
            CHECK_MESSAGE(answer.status == status, payload);
            CHECK_MESSAGE(answer.payload.contains(says), answer.payload);
        }
    });
}

TEST_CASE("what was asked in vain is asked again as soon as the cloud is back") {
    with_hub([](TestHub& hub) -> Task<> {
        hub.go_offline();
        CHECK(co_await answer_to(hub, with_own_key(hub, "late")) == not_authorized);
        hub.cloud.identities.push_back(scope_identity("late"));
        hub.go_online();
        (void)co_await hub.connect("late");
    });
}
