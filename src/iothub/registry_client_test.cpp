#include "iothub/registry_client.hpp"

#include "iothub/sas.hpp"
#include "model/twin.hpp"
#include "sim/world.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <deque>

using namespace skerry;
using namespace skerry::iothub;

namespace {
const std::string key = "a key";

boost::json::object object(std::string_view text) { return model::parse_object(text).value(); }

// A registry that gives prepared answers and keeps the requests.
struct Registry {
    sim::World world;
    std::deque<codec::HttpResponse> answers;
    std::vector<codec::HttpRequest> requests;
    std::unique_ptr<net::Listener> listener{world.network().listen_tls("localhost", 443, nullptr).value()};
    TaskScope tasks{world.executor()};
    net::HttpHandler handler{
        [this](codec::HttpRequest request, const net::Peer&) { return answer(*this, std::move(request)); }};
    std::unique_ptr<RegistryClient> client;

    Registry() {
        tasks.spawn("registry", accept(*this));
        auto credentials = std::make_shared<Credentials>("hub.example", model::Identity::device("d1").value(),
                                                         key_signer(key), world.clock());
        auto http = std::make_unique<net::HttpClient>(world.clock(),
                                                      net::tls_connector(world.network(), "localhost", 443, nullptr));
        client = std::make_unique<RegistryClient>(std::move(http), std::move(credentials), "d1");
    }
    ~Registry() {
        client.reset();
        world.run(tasks.close());
    }

    static Task<> accept(Registry& self) {
        for (;;) {
            auto stream = co_await self.listener->accept();
            if (!stream) co_return;
            self.tasks.spawn("connection", serve(self, std::move(*stream)));
        }
    }
    static Task<> serve(Registry& self, std::unique_ptr<net::Stream> stream) {
        co_await net::serve_http(*stream, self.world.clock(), self.handler);
    }
    static Task<codec::HttpResponse> answer(Registry& self, codec::HttpRequest request) {
        self.requests.push_back(std::move(request));
        REQUIRE_FALSE(self.answers.empty());
        auto response = std::move(self.answers.front());
        self.answers.pop_front();
        co_return response;
    }

    void will_answer(unsigned status, std::string body) {
        answers.push_back({.status = status, .headers = {}, .body = std::move(body), .next_chunk = {}});
    }
    [[nodiscard]] const codec::HttpRequest& last() const { return requests.back(); }
};

constexpr auto module_json =
    R"({"moduleId":"$edgeAgent","deviceId":"d1","managedBy":"IotEdge","generationId":"63","etag":"e",
    "authentication":{"type":"sas","symmetricKey":{"primaryKey":"cDE=","secondaryKey":"cDI="}}})";
}  // namespace

TEST_CASE("module identities are created, read, updated, listed and deleted with the device's token") {
    Registry registry;
    registry.will_answer(200, module_json);
    const auto created = registry.world.run(registry.client->create_module("$edgeAgent", "IotEdge"));
    REQUIRE(created);
    CHECK(created->module_id == "$edgeAgent");
    CHECK(created->generation_id == "63");
    CHECK(created->managed_by == "IotEdge");
    CHECK(created->keys.secondary == "cDI=");
    CHECK(registry.last().method == "PUT");
    CHECK(registry.last().target == "/devices/d1/modules/%24edgeAgent?api-version=2017-11-08-preview");
    CHECK_FALSE(registry.last().headers.find("If-Match"));
    const auto token = parse_sas(registry.last().headers.find("Authorization").value());
    REQUIRE(token);
    CHECK(is_signed_with(*token, key));
    const auto body = object(registry.last().body);
    CHECK(body.at("deviceId") == "d1");
    CHECK(body.at("moduleId") == "$edgeAgent");
    CHECK_FALSE(body.at("authentication").as_object().contains("symmetricKey"));

    registry.will_answer(200, module_json);
    CHECK(registry.world.run(registry.client->update_module(*created)));
    CHECK(registry.last().headers.find("If-Match") == "*");
    CHECK(object(registry.last().body).at("authentication").at("symmetricKey").at("primaryKey") == "cDE=");

    registry.will_answer(200, "[" + std::string(module_json) + "]");
    const auto list = registry.world.run(registry.client->list_modules());
    REQUIRE(list);
    CHECK(list->size() == 1);
    registry.will_answer(200, module_json);
    CHECK(registry.world.run(registry.client->get_module("$edgeAgent"))->etag == "e");

    registry.will_answer(204, "");
    CHECK(registry.world.run(registry.client->delete_module("m")));
    CHECK(registry.last().method == "DELETE");
    CHECK(registry.last().headers.find("If-Match") == "*");
}

TEST_CASE("the hub's refusals become errors that say what to do, with its words") {
    Registry registry;
    const std::vector<std::pair<unsigned, Errc>> cases{
        {400, Errc::malformed}, {401, Errc::unauthorized}, {403, Errc::unauthorized},
        {404, Errc::not_found}, {409, Errc::conflict},     {412, Errc::conflict},
        {429, Errc::full},      {500, Errc::unreachable},  {503, Errc::unreachable}};
    for (const auto& [status, code] : cases) {
        registry.will_answer(status, R"({"Message":"ErrorCode:Something;told","ExceptionMessage":""})");
        const auto failed = registry.world.run(registry.client->get_module("m"));
        REQUIRE_FALSE(failed);
        CHECK(failed.error().code == code);
        CHECK(failed.error().text.find("ErrorCode:Something;told") != std::string::npos);
        CHECK(failed.error().text.find("SharedAccessSignature") == std::string::npos);
    }
    for (const auto* nonsense : {"", "[]", "{}", "not json", R"({"moduleId":"a/b"})"}) {
        registry.will_answer(200, nonsense);
        CHECK(registry.world.run(registry.client->get_module("m")).error().code == Errc::malformed);
    }
}

TEST_CASE("a scope is read page by page, and one entry that makes no sense hides no other") {
    Registry registry;
    registry.will_answer(200, R"({"devices":[{"deviceId":"leaf","status":"enabled","generationId":"1",
        "authentication":{"type":"selfSigned","x509Thumbprint":{"primaryThumbprint":"AA","secondaryThumbprint":null}},
        "capabilities":{"iotEdge":false},"deviceScope":"s","parentScopes":["s","t"]},{"deviceId":"bad/id"},7],
        "modules":null,"continuationLink":"next"})");
    registry.will_answer(200, R"({"devices":[],"modules":[{"deviceId":"d1","moduleId":"m","generationId":"2",
        "authentication":{"type":"sas","symmetricKey":{"primaryKey":"a","secondaryKey":"b"}}}],"continuationLink":null})");
    const auto scope = registry.world.run(registry.client->scope());
    REQUIRE(scope);
    REQUIRE(scope->size() == 2);
    const auto& leaf = scope->at(0);
    CHECK(leaf.identity.id() == "leaf");
    CHECK(leaf.enabled);
    CHECK(leaf.authentication_type == "selfSigned");
    CHECK(leaf.primary_thumbprint == "AA");
    CHECK(leaf.secondary_thumbprint.empty());
    CHECK(leaf.device_scope == "s");
    CHECK(leaf.parent_scopes == std::vector<std::string>{"s", "t"});
    CHECK(scope->at(1).identity.id() == "d1/m");
    CHECK(scope->at(1).keys.primary == "a");
    REQUIRE(registry.requests.size() == 2);
    CHECK(registry.requests[0].target ==
          "/devices/d1/modules/%24edgeHub/devicesAndModulesInTargetDeviceScope"
          "?api-version=2020-06-30-preview");
    CHECK_FALSE(object(registry.requests[0].body).contains("continuationLink"));
    CHECK(object(registry.requests[1].body).at("continuationLink") == "next");
    CHECK(object(registry.requests[1].body).at("authChain") == "d1");
}

TEST_CASE("the scopes of the edge devices below are read too, each once, and one that is refused hides no other") {
    Registry registry;
    const auto device = [](std::string_view id, bool edge) {
        return fmt::format(
            R"({{"deviceId":"{}","status":"enabled","authentication":{{}},"capabilities":{{"iotEdge":{}}}}})", id,
            edge);
    };
    const auto page = [](const std::string& devices) { return R"({"devices":[)" + devices + R"(],"modules":[]})"; };
    registry.will_answer(200, page(device("d1", true) + ',' + device("child", true) + ',' + device("shut", true)));
    registry.will_answer(200, page(device("child", true) + ',' + device("leaf", false)));
    registry.will_answer(401, "{}");
    const auto scope = registry.world.run(registry.client->scope());
    REQUIRE(scope);
    CHECK(scope->back().identity.id() == "leaf");
    REQUIRE(registry.requests.size() == 3);
    CHECK(registry.requests[1].body.contains(R"("authChain":"child;d1")"));
    CHECK(registry.requests[2].body.contains(R"("authChain":"shut;d1")"));

    registry.will_answer(200, page(device("leaf", false)));
    CHECK(registry.world.run(registry.client->scope_of(model::Identity::device("leaf").value(), {"child", "d1"})));
    CHECK(registry.last().body.contains(R"("authChain":"child;d1")"));
}

TEST_CASE("without nesting a scope is read in the older form, each page from where the last one says") {
    Registry registry;
    RegistryClient flat(
        std::make_unique<net::HttpClient>(registry.world.clock(),
                                          net::tls_connector(registry.world.network(), "localhost", 443, nullptr)),
        std::make_shared<Credentials>("hub.example", model::Identity::device("d1").value(), key_signer(key),
                                      registry.world.clock()),
        "d1", ScopeForm::flat);
    const std::string page =
        R"({"devices":[{"deviceId":"leaf","status":"enabled","authentication":{},"capabilities":{"iotEdge":true}}],"modules":[],)";
    registry.will_answer(200, page + R"("continuationLink":"/devices/d1/more?x=1"})");
    registry.will_answer(200, page + R"("continuationLink":null})");
    const auto scope = registry.world.run(flat.scope());
    REQUIRE(scope);
    CHECK(scope->size() == 2);
    REQUIRE(registry.requests.size() == 2);  // nothing is asked about edge devices below
    CHECK(registry.requests[0].method == "GET");
    CHECK(registry.requests[0].target ==
          "/devices/d1/modules/%24edgeHub/devicesAndModulesInDeviceScope?deviceCount=100"
          "&continuationToken=&api-version=2018-08-30-preview");
    CHECK(registry.requests[1].target == "/devices/d1/more?x=1");

    registry.will_answer(200, page + R"("continuationLink":"https://elsewhere.example/"})");
    CHECK(registry.world.run(flat.scope()).error().code == Errc::malformed);
    registry.will_answer(200, page + R"("continuationLink":null})");
    CHECK(registry.world.run(flat.scope_of(model::Identity::module("leaf", "m").value()))->size() == 1);
    CHECK(registry.last().target ==
          "/devices/d1/modules/%24edgeHub/deviceAndModuleInDeviceScope?targetDeviceId=leaf"
          "&targetModuleId=m&api-version=2018-08-30-preview");
}

TEST_CASE("a call for somebody below is passed on as it is, and so is the answer, whatever it says") {
    Registry registry;
    registry.answers.push_back({.status = 412, .headers = {}, .body = "{\"Message\":\"no\"}", .next_chunk = {}});
    registry.answers.back().headers.set("iothub-errorcode", "PreconditionFailed");
    const auto answer = registry.world.run(registry.client->on_behalf(
        {"PUT", "putModuleOnBehalfOf", R"({"authChain":"c;d1"})", "\"e\""}, std::chrono::seconds(30)));
    REQUIRE(answer);
    CHECK(answer->status == 412);
    CHECK(answer->body == "{\"Message\":\"no\"}");
    CHECK(answer->error_code == "PreconditionFailed");
    CHECK(registry.last().method == "PUT");
    CHECK(registry.last().target ==
          "/devices/d1/modules/%24edgeHub/putModuleOnBehalfOf?api-version=2020-06-30-preview");
    CHECK(registry.last().body == R"({"authChain":"c;d1"})");
    CHECK(registry.last().headers.find("If-Match") == "\"e\"");
    CHECK(registry.last().headers.find("Authorization"));
    registry.will_answer(204, "");
    (void)registry.world.run(
        registry.client->on_behalf({"POST", "deleteModuleOnBehalfOf", "{}", ""}, std::chrono::seconds(30)));
    CHECK_FALSE(registry.last().headers.find("If-Match"));
}

TEST_CASE("pages without end are an error, not a loop") {
    Registry registry;
    for (int page = 0; page < 1'001; ++page)
        registry.will_answer(200, R"({"devices":[],"modules":[],"continuationLink":"again"})");
    CHECK(registry.world.run(registry.client->scope()).error().code == Errc::full);
}

TEST_CASE("one identity is asked for on behalf of the device") {
    Registry registry;
    registry.will_answer(200, R"({"devices":[],"modules":[],"continuationLink":null})");
    const auto none = registry.world.run(registry.client->scope_of(model::Identity::module("leaf", "m").value()));
    REQUIRE(none);
    CHECK(none->empty());
    CHECK(registry.last().target.starts_with("/devices/d1/modules/%24edgeHub/getDeviceAndModuleOnBehalfOf?"));
    const auto body = object(registry.last().body);
    CHECK(body.at("targetDeviceId") == "leaf");
    CHECK(body.at("targetModuleId") == "m");
    CHECK(body.at("authChain") == "d1");
}

TEST_CASE("an identity of the scope survives being written down, and an unknown status lets nobody in") {
    ScopeIdentity device(model::Identity::device("leaf").value());
    device.generation_id = "7";
    device.authentication_type = "selfSigned";
    device.keys = {"a", "b"};
    device.primary_thumbprint = "AA";
    device.iot_edge = true;
    device.device_scope = "s";
    device.parent_scopes = {"p"};
    const auto read = parse_scope_device(to_json(device));
    REQUIRE(read);
    CHECK(to_json(*read) == to_json(device));
    CHECK(read->enabled);

    const ScopeIdentity module(model::Identity::module("d", "m").value());
    CHECK(to_json(parse_scope_module(to_json(module)).value()) == to_json(module));
    CHECK_FALSE(parse_scope_device(object(R"({"deviceId":"d","status":"odd","authentication":{}})")).value().enabled);
    CHECK_FALSE(parse_scope_device(object(R"({"deviceId":"d","status":"enabled"})")));
    CHECK_FALSE(parse_scope_module(object(R"({"deviceId":"d","authentication":{}})")));
}
