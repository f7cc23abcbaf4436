// What hubs below ask about their scopes, over real TLS; bad input of all their calls.
#include "hub/http/test_layers.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <boost/json/array.hpp>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using namespace std::chrono_literals;

TEST_CASE("a hub below reads the scope of its device and of those below it, page by page") {
    with_layers([](TestHub& hub) -> Task<> {
        const auto questions = hub.cloud.questions;
        const auto first =
            object_of(co_await hub.ask(from_hub(hub, "child", page_call, R"({"pageSize":2,"authChain":"child"})")));
        CHECK(ids_of(first) == Ids{"child", "deep", "child/$edgeHub", "child/m", "deep/x"});
        const auto& child = first.at("devices").at(0);
        CHECK(child.at("deviceScope") == "scope of child");
        CHECK(child.at("parentScopes").at(0) == "scope of edge1");
        CHECK(child.at("capabilities").at("iotEdge") == true);
        CHECK(child.at("authentication").at("symmetricKey").at("primaryKey") == key_of("child").c_str());

        const std::string next(first.at("continuationLink").as_string());
        const auto second = object_of(co_await hub.ask(
            from_hub(hub, "child", page_call,
                     fmt::format(R"({{"pageSize":10,"authChain":"child","continuationLink":"{}"}})", next))));
        CHECK(ids_of(second) == Ids{"deep2", "grand"});
        CHECK(second.at("continuationLink").is_null());

        const auto grand =
            object_of(co_await hub.ask(from_hub(hub, "child", page_call, R"({"authChain":"grand;child"})")));
        CHECK(ids_of(grand) == Ids{"far", "grand", "grand/$edgeHub"});
        CHECK(hub.cloud.questions == questions);  // all of it was known
    });
}

TEST_CASE("an edge device that is new here gets the whole of its scope, or is told to come again") {
    with_hub([](TestHub& hub) -> Task<> {
        known(hub, edge).device_scope = "scope of edge1";
        hub.go_online();
        co_await hub.eventually([&hub, before = hub.cloud.refreshes] { return hub.cloud.refreshes > before; });
        add_layers(hub);
        hub.cloud.whole = false;  // of single identities the cloud tells, of all not
        const auto page = [&hub] { return hub.ask(from_hub(hub, "child", page_call, R"({"authChain":"child"})")); };
        const auto early = co_await page();
        CHECK(early.status == 500);
        CHECK(object_of(early).contains("ErrorMessage"));
        hub.cloud.whole = true;
        const auto answer = object_of(co_await page());
        CHECK(ids_of(answer) == Ids{"child", "deep", "deep2", "grand", "child/$edgeHub", "child/m", "deep/x"});
    });
}

TEST_CASE("one identity below is told with its device; the cloud is asked about it once, and not needed") {
    with_layers([](TestHub& hub) -> Task<> {
        const auto ask = [&hub](std::string body) {
            return hub.ask(from_hub(hub, "child", one_call, std::move(body)));
        };
        const std::string module = R"({"targetDeviceId":"deep","targetModuleId":"x","authChain":"child"})";
        hub.cloud.identities.push_back(scope_identity("deep/late"));
        known(hub, "deep/x").keys.primary = "bmV3";
        const auto questions = hub.cloud.questions;
        auto answer = object_of(co_await ask(module));
        CHECK(ids_of(answer) == Ids{"deep", "deep/x"});
        CHECK(answer.at("modules").at(0).at("authentication").at("symmetricKey").at("primaryKey") == "bmV3");
        (void)co_await ask(module);
        CHECK(hub.cloud.questions == questions + 1);
        // One that nobody here knew; a device below two edge devices, by either form of the chain.
        answer =
            object_of(co_await ask(R"({"targetDeviceId":"deep","targetModuleId":"late","authChain":"deep;child"})"));
        CHECK(ids_of(answer) == Ids{"deep", "deep/late"});
        for (const auto* chain : {"grand;child", "far;grand;child"}) {
            answer = object_of(co_await ask(
                fmt::format(R"({{"targetDeviceId":"far","targetModuleId":null,"authChain":"{}"}})", chain)));
            CHECK(ids_of(answer) == Ids{"far"});
        }

        hub.go_offline();
        CHECK(ids_of(object_of(co_await ask(module))) == Ids{"deep", "deep/x"});
        const auto nobody = co_await ask(R"({"targetDeviceId":"nobody","authChain":"child"})");
        CHECK(nobody.status == 500);  // it may be there: nobody can tell now
        CHECK(object_of(nobody).contains("ErrorMessage"));
    });
}

TEST_CASE("who asks for what is not below it, or not as itself, learns nothing") {
    with_layers([](TestHub& hub) -> Task<> {
        struct Case {
            const char* actor;
            std::string_view operation;
            const char* body;
            unsigned status;
        };
        const Case cases[] = {
            {"child", page_call, R"({"authChain":"edge1"})", 401},
            {"child", page_call, R"({"authChain":"edge1;child"})", 401},
            {"child", page_call, R"({"authChain":"child;edge1"})", 401},
            {"child", page_call, R"({"authChain":"grand"})", 401},
            {"child", page_call, R"({"authChain":"far;child"})", 401},
            {"child", page_call, R"({"authChain":"far;grand;child"})", 401},  // no edge device
            {"child", page_call, R"({"authChain":"beside;child"})", 401},
            {"child", page_call, R"({"authChain":"nobody;child"})", 401},
            {"beside", page_call, R"({"authChain":"beside"})", 401},
            {"edge1", page_call, R"({"authChain":"edge1"})", 401},
            {"nobody", page_call, R"({"authChain":"nobody"})", 401},
            {"child", one_call, R"({"targetDeviceId":"beside","authChain":"child"})", 401},
            {"child", one_call, R"({"targetDeviceId":"edge1","targetModuleId":"sensor","authChain":"child"})", 401},
            {"child", one_call, R"({"targetDeviceId":"beside","authChain":"beside;child"})", 401},
            {"child", one_call, R"({"targetDeviceId":"deep","authChain":"grand;child"})", 401},
            {"child", one_call, R"({"targetDeviceId":"deep","targetModuleId":"no","authChain":"child"})", 401},
        };
        for (const auto& [actor, operation, body, status] : cases) {
            INFO(actor << " " << operation << " " << body);
            const auto answer = co_await hub.ask(from_hub(hub, actor, operation, body));
            CHECK(answer.status == status);
            CHECK(object_of(answer).contains("ErrorMessage"));
            CHECK_FALSE(answer.body.contains("symmetricKey"));
        }
        // Another module of the device, another's token, none.
        const auto page = R"({"authChain":"child"})";
        auto request = from_hub(hub, "child", page_call, page);
        request.target = "/devices/child/modules/m/devicesAndModulesInTargetDeviceScope";
        CHECK((co_await hub.ask(request)).status == 401);
        request = from_hub(hub, "child", page_call, page);
        request.headers.set("Authorization", hub.token("grand/$edgeHub", key_of("grand/$edgeHub")));
        CHECK((co_await hub.ask(request)).status == 401);
        request.headers.set("Authorization", hub.token("child/$edgeHub", key_of("child/$edgeHub"), -1h));
        CHECK((co_await hub.ask(request)).status == 401);
        request.headers.set("Authorization", "");
        CHECK((co_await hub.ask(request)).status == 401);
        // An edge device that is disabled takes everything below with it.
        known(hub, "child").enabled = false;
        (void)co_await hub.ask(from_hub(hub, "child", one_call, R"({"targetDeviceId":"child","authChain":"child"})"));
        CHECK((co_await hub.ask(from_hub(hub, "child", page_call, page))).status == 401);
    });
}

TEST_CASE("the cloud is asked about whom we know by the way that we know, whatever somebody below says") {
    with_layers([](TestHub& hub) -> Task<> {
        const auto ask = [&hub](std::string_view device, std::string_view chain) {
            return hub.ask(from_hub(hub, "child", one_call,
                                    fmt::format(R"({{"targetDeviceId":"{}","authChain":"{}"}})", device, chain)));
        };
        // A hub that says that it is above others' devices must not have the cloud deny them.
        CHECK((co_await ask("beside", "child")).status == 401);
        CHECK(hub.cloud.asked_by.at("beside") == Ids{"edge1"});
        CHECK((co_await ask("deep", "child")).status == 200);
        CHECK(hub.cloud.asked_by.at("deep") == Ids{"child", "edge1"});
        CHECK((co_await ask("grand", "child")).status == 200);
        CHECK(hub.cloud.asked_by.at("grand") == Ids{"grand", "child", "edge1"});
        CHECK((co_await ask("stranger", "grand;child")).status == 401);
        CHECK(hub.cloud.asked_by.at("stranger") == Ids{"grand", "child", "edge1"});
        // The same at the MQTT head.
        const auto client = co_await hub.dial();
        auto connect = connect_packet("leaf1", hub.token("child/$edgeHub", key_of("child/$edgeHub")));
        *connect.user_name += "&auth-chain=leaf1%3Bchild";
        CHECK((co_await client->handshake(std::move(connect))).code == codec::mqtt::ConnectCode::not_authorized);
        CHECK(hub.cloud.asked_by.at("leaf1") == Ids{"edge1"});
    });
}

TEST_CASE("a call that can't be read is told what is wrong with it") {
    with_layers([](TestHub& hub) -> Task<> {
        struct Case {
            std::string_view operation;
            const char* body;
            const char* says;
        };
        const auto long_chain = [] {
            std::string chain = "child";
            for (int i = 0; i < 20; ++i) chain += ";child";
            return R"({"authChain":")" + chain + "\"}";
        }();
        const Case cases[] = {
            {page_call, "", "JSON"},
            {page_call, "[]", "JSON object"},
            {page_call, "{", "JSON"},
            {page_call, "{}", "authChain"},
            {page_call, R"({"authChain":""})", "authChain"},
            {page_call, R"({"authChain":";;"})", "authChain"},
            {page_call, R"({"authChain":7})", "authChain must be text"},
            {page_call, R"({"authChain":"a b;child"})", "invalid id"},
            {page_call, R"({"authChain":"child/m;child"})", "begin with a device"},
            {page_call, long_chain.c_str(), "over 16"},
            {page_call, R"({"authChain":"child","pageSize":0})", "pageSize"},
            {page_call, R"({"authChain":"child","pageSize":-1})", "pageSize"},
            {page_call, R"({"authChain":"child","pageSize":"10"})", "pageSize"},
            {page_call, R"({"authChain":"child","continuationLink":7})", "continuationLink"},
            {page_call, R"({"authChain":"child","continuationLink":"/devices?x=1"})", "none of this hub's"},
            {one_call, R"({"authChain":"child"})", "targetDeviceId"},
            {one_call, R"({"authChain":"child","targetDeviceId":{}})", "targetDeviceId"},
            {one_call, R"({"authChain":"child","targetDeviceId":"a/b"})", "targetDeviceId"},
            {one_call, R"({"authChain":"child","targetDeviceId":"deep","targetModuleId":"a b"})", "targetModuleId"},
            {one_call, R"({"targetDeviceId":"deep"})", "authChain"},
            {"getModuleOnBehalfOf", R"({"authChain":"child"})", "targetModuleId"},
            {"getModuleOnBehalfOf", R"({"authChain":"child","targetModuleId":"a/b"})", "targetModuleId"},
            {"getModuleOnBehalfOf", R"({"targetModuleId":"m"})", "authChain"},
            {"deleteModuleOnBehalfOf", R"({"authChain":"child","moduleId":7})", "moduleId"},
            {"getModulesOnTargetDevice", R"({"authChain":"child/m;child"})", "begin with a device"},
            {"putModuleOnBehalfOf", R"({"authChain":"child"})", "module"},
            {"putModuleOnBehalfOf", R"({"authChain":"child","module":"m"})", "module"},
        };
        for (const auto& [operation, body, says] : cases) {
            INFO(operation << " " << body);
            const bool on_scope = operation == page_call || operation == one_call;
            const auto* const method = operation == "putModuleOnBehalfOf" ? "PUT" : "POST";
            const auto answer = co_await hub.ask(from_hub(hub, "child", operation, body, method));
            CHECK(answer.status == 400);
            const auto told = object_of(answer);
            const auto* const member = on_scope ? "ErrorMessage" : "errorMessage";
            REQUIRE(told.contains(member));
            CHECK_MESSAGE(std::string_view(told.at(member).as_string()).contains(says), answer.body);
        }
        CHECK(hub.cloud.relayed.empty());

        for (const auto& [method, operation] : {std::pair("GET", page_call), std::pair("PUT", one_call),
                                                std::pair("POST", std::string_view("putModuleOnBehalfOf")),
                                                std::pair("PUT", std::string_view("getModuleOnBehalfOf"))})
            CHECK((co_await hub.ask(from_hub(hub, "child", operation, "{}", method))).status == 405);
        CHECK((co_await hub.ask(from_hub(hub, "child", "somethingElse", "{}"))).status == 404);
        CHECK((co_await hub.ask(from_hub(hub, "child", page_call, std::string(300 * 1024, ' ')))).status == 413);
    });
}
