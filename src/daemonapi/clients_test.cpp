// The clients against a daemon that gives prepared answers.
#include "daemonapi/management_client.hpp"
#include "daemonapi/workload_client.hpp"

#include "base/encoding.hpp"
#include "model/twin.hpp"
#include "sim/world.hpp"

#include <doctest/doctest.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <deque>
#include <optional>
#include <vector>

using namespace skerry;
using namespace skerry::daemonapi;
using namespace std::chrono_literals;

namespace {
struct Daemon {
    sim::World world;
    std::deque<codec::HttpResponse> answers;
    std::vector<codec::HttpRequest> requests;
    std::unique_ptr<net::Listener> listener{world.network().listen_unix("/run/daemon.sock", 0660).value()};
    TaskScope tasks{world.executor()};
    net::HttpHandler handler{
        [this](codec::HttpRequest request, const net::Peer&) { return answer(*this, std::move(request)); }};
    std::unique_ptr<ManagementClient> management{
        ManagementClient::create(world.network(), world.clock(), "unix:///run/daemon.sock").value()};
    std::unique_ptr<WorkloadClient> workload{
        WorkloadClient::create(world.network(), world.clock(), "unix:///run/daemon.sock", "$edgeHub", "6 7").value()};

    Daemon() { tasks.spawn("daemon", accept(*this)); }
    ~Daemon() {
        management.reset();
        workload.reset();
        world.run(tasks.close());
    }

    void will_answer(unsigned status, std::string body) {
        answers.push_back({.status = status, .headers = {}, .body = std::move(body), .next_chunk = {}});
    }
    [[nodiscard]] std::string last() const { return requests.back().method + " " + requests.back().target; }
    [[nodiscard]] boost::json::object last_body() const { return model::parse_object(requests.back().body).value(); }

private:
    static Task<> accept(Daemon& self) {
        for (;;) {
            auto stream = co_await self.listener->accept();
            if (!stream) co_return;
            self.tasks.spawn("connection", serve(self, std::move(*stream)));
        }
    }
    static Task<> serve(Daemon& self, std::unique_ptr<net::Stream> stream) {
        co_await net::serve_http(*stream, self.world.clock(), self.handler);
    }
    static Task<codec::HttpResponse> answer(Daemon& self, codec::HttpRequest request) {
        self.requests.push_back(std::move(request));
        REQUIRE_FALSE(self.answers.empty());
        auto response = std::move(self.answers.front());
        self.answers.pop_front();
        co_return response;
    }
};

model::ModuleSpec spec() {
    model::ModuleSpec spec;
    spec.name = "a b";
    spec.image = "i:1";
    return spec;
}
}  // namespace

TEST_CASE("modules are listed, created, updated, started, stopped, restarted and removed") {
    Daemon daemon;
    auto& client = *daemon.management;
    model::ModuleStatus status;
    status.name = "m";
    daemon.will_answer(200,
                       boost::json::serialize(boost::json::object{{"modules", {to_json(status), to_json(status)}}}));
    const auto modules = daemon.world.run(client.list_modules());
    REQUIRE(modules);
    CHECK(modules->modules.size() == 2);
    CHECK(modules->tag.empty());
    CHECK(daemon.last() == "GET /modules?api-version=2022-08-03");

    const auto expect = [&](Result<> result, std::string_view request) {
        CHECK_MESSAGE(result, request);
        CHECK(daemon.last() == request);
    };
    daemon.will_answer(201, "{}");
    expect(daemon.world.run(client.create_module(spec())), "POST /modules?api-version=2022-08-03");
    CHECK(daemon.last_body().at("config").at("settings").at("image") == "i:1");
    CHECK(daemon.requests.back().headers.find("Content-Type") == "application/json");
    daemon.will_answer(201, "{}");
    expect(daemon.world.run(client.update_module(spec(), true)),
           "PUT /modules/a%20b?api-version=2022-08-03&start=true");
    daemon.will_answer(204, "");
    expect(daemon.world.run(client.prepare_update(spec())), "POST /modules/a%20b/prepareupdate?api-version=2022-08-03");
    daemon.will_answer(204, "");
    expect(daemon.world.run(client.start_module("m")), "POST /modules/m/start?api-version=2022-08-03");
    daemon.will_answer(204, "");
    expect(daemon.world.run(client.stop_module("m")), "POST /modules/m/stop?api-version=2022-08-03");
    daemon.will_answer(204, "");
    expect(daemon.world.run(client.restart_module("m")), "POST /modules/m/restart?api-version=2022-08-03");
    daemon.will_answer(204, "");
    expect(daemon.world.run(client.remove_module("m")), "DELETE /modules/m?api-version=2022-08-03");
    daemon.will_answer(204, "");
    expect(daemon.world.run(client.reprovision()), "POST /device/reprovision?api-version=2022-08-03");
    daemon.will_answer(200, R"({"osType":"linux"})");
    CHECK(daemon.world.run(client.system_info())->at("osType") == "linux");
}

TEST_CASE("identities are listed, created, updated and deleted") {
    Daemon daemon;
    auto& client = *daemon.management;
    const auto entry = boost::json::serialize(to_json(IdentityEntry{"$edgeHub", "iotedge", "7"}));
    daemon.will_answer(200, R"({"identities":[)" + entry + "]}");
    CHECK(daemon.world.run(client.list_identities())->at(0).module_id == "$edgeHub");
    daemon.will_answer(200, entry);
    CHECK(daemon.world.run(client.create_identity("$edgeHub"))->generation_id == "7");
    CHECK(daemon.last_body().at("moduleId") == "$edgeHub");
    daemon.will_answer(200, entry);
    CHECK(daemon.world.run(client.update_identity("$edgeHub", "7")));
    CHECK(daemon.last() == "PUT /identities/%24edgeHub?api-version=2022-08-03");
    CHECK(daemon.last_body().at("generationId") == "7");
    daemon.will_answer(204, "");
    CHECK(daemon.world.run(client.delete_identity("$edgeHub")));
    CHECK(daemon.last() == "DELETE /identities/%24edgeHub?api-version=2022-08-03");
}

TEST_CASE("what the daemon refuses is an error with its words and a code that says what to do") {
    Daemon daemon;
    const std::vector<std::pair<unsigned, Errc>> cases{
        {400, Errc::malformed}, {403, Errc::unauthorized}, {404, Errc::not_found},
        {408, Errc::timeout},   {409, Errc::conflict},     {422, Errc::malformed},
        {429, Errc::full},      {500, Errc::io},           {503, Errc::unreachable}};
    for (const auto& [status, code] : cases) {
        daemon.will_answer(status, R"({"message":"no such thing"})");
        const auto failed = daemon.world.run(daemon.management->start_module("m"));
        REQUIRE_FALSE(failed);
        CHECK(failed.error().code == code);
        CHECK(failed.error().text.find("no such thing") != std::string::npos);
    }
    for (const auto* nonsense : {"", "[]", "{}", R"({"modules":[1]})", R"({"modules":[{"name":"m"}]})"}) {
        daemon.will_answer(200, nonsense);
        CHECK(daemon.world.run(daemon.management->list_modules()).error().code == Errc::malformed);
    }
    daemon.listener.reset();
    Daemon other;
    const auto client =
        ManagementClient::create(other.world.network(), other.world.clock(), "unix:///run/none.sock").value();
    CHECK(other.world.run(client->list_modules()).error().code == Errc::unreachable);
}

TEST_CASE("a change of the list is waited for with the tag of the list that is known") {
    Daemon daemon;
    daemon.will_answer(200, R"({"modules":[]})");
    daemon.answers.back().headers.set("ETag", "\"one\"");
    CHECK(daemon.world.run(daemon.management->list_modules())->tag == "\"one\"");
    daemon.will_answer(304, "");
    CHECK_FALSE(daemon.world.run(daemon.management->wait_change("\"one\"", 20s)).value());
    CHECK(daemon.last() == "GET /modules?api-version=2022-08-03");
    CHECK(daemon.requests.back().headers.find("If-None-Match") == "\"one\"");
    CHECK(daemon.requests.back().headers.find("Prefer") == "wait=20");
    daemon.will_answer(200, R"({"modules":[]})");
    CHECK(daemon.world.run(daemon.management->wait_change("\"one\"", 1h)).value());
    CHECK(daemon.requests.back().headers.find("Prefer") == "wait=60");
    daemon.will_answer(500, "");
    CHECK(daemon.world.run(daemon.management->wait_change("\"one\"", 1s)).error().code == Errc::io);
}

TEST_CASE("a log comes piece by piece, and the log of a module that is not there is an error") {
    Daemon daemon;
    codec::HttpResponse log;
    auto pieces = std::make_shared<std::deque<std::string>>(std::deque<std::string>{"one ", "two"});
    log.next_chunk = [pieces]() -> Task<std::optional<std::string>> {
        if (pieces->empty()) co_return std::nullopt;
        auto piece = std::move(pieces->front());
        pieces->pop_front();
        co_return piece;
    };
    daemon.answers.push_back(std::move(log));
    std::string read;
    const auto take = [&](std::string_view bytes) {
        read += bytes;
        return true;
    };
    CHECK(daemon.world.run(
        daemon.management->logs("m", {.follow = true, .tail = "5", .since = "1 h", .until = {}}, take)));
    CHECK(read == "one two");
    CHECK(daemon.last() ==
          "GET /modules/m/logs?api-version=2022-08-03&follow=true&timestamps=false&tail=5&since=1%20h");

    daemon.will_answer(404, R"({"message":"no module m"})");
    const auto failed = daemon.world.run(daemon.management->logs("m", {}, take));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Errc::not_found);
    CHECK(read == "one two");
}

TEST_CASE("the workload API signs, encrypts and decrypts bytes, whatever they are") {
    Daemon daemon;
    const std::string bytes("\x00\xff text", 7);
    daemon.will_answer(200, R"({"digest":")" + base64_encode(bytes) + R"("})");
    CHECK(daemon.world.run(daemon.workload->sign(bytes)).value() == bytes);
    CHECK(daemon.last() == "POST /modules/%24edgeHub/genid/6%207/sign?api-version=2018-06-28");
    CHECK(boost::json::serialize(daemon.last_body()) ==
          R"({"keyId":"primary","algo":"HMACSHA256","data":")" + base64_encode(bytes) + R"("})");

    daemon.will_answer(200, R"({"ciphertext":")" + base64_encode("sealed") + R"("})");
    CHECK(daemon.world.run(daemon.workload->encrypt(bytes, "iv")).value() == "sealed");
    CHECK(daemon.last_body().at("plaintext") == boost::json::value(base64_encode(bytes)));
    CHECK(daemon.last_body().at("initializationVector") == boost::json::value(base64_encode("iv")));
    daemon.will_answer(200, R"({"plaintext":")" + base64_encode(bytes) + R"("})");
    CHECK(daemon.world.run(daemon.workload->decrypt("sealed", "iv")).value() == bytes);

    daemon.will_answer(200, R"({"digest":"not base64!"})");
    CHECK(daemon.world.run(daemon.workload->sign("x")).error().code == Errc::malformed);
    daemon.will_answer(200, R"({"other":1})");
    CHECK(daemon.world.run(daemon.workload->sign("x")).error().code == Errc::malformed);
}

TEST_CASE("the workload API gives certificates and the trust bundle") {
    Daemon daemon;
    const std::string certificate =
        R"({"privateKey":{"type":"key","bytes":"KEY"},"certificate":"CHAIN","expiration":"2031-01-31T10:00:00Z"})";
    daemon.will_answer(201, certificate);
    const auto server = daemon.world.run(daemon.workload->server_certificate("edge", daemon.world.clock().wall()));
    REQUIRE(server);
    CHECK(server->private_key_pem == "KEY");
    CHECK(server->certificate_pem == "CHAIN");
    CHECK(server->expires == *parse_rfc3339("2031-01-31T10:00:00Z"));
    CHECK(daemon.last() == "POST /modules/%24edgeHub/genid/6%207/certificate/server?api-version=2018-06-28");
    CHECK(daemon.last_body().at("commonName") == "edge");
    daemon.will_answer(201, certificate);
    CHECK(daemon.world.run(daemon.workload->identity_certificate()));
    CHECK(daemon.last() == "POST /modules/%24edgeHub/certificate/identity?api-version=2018-06-28");
    daemon.will_answer(201, R"({"privateKey":{"bytes":"KEY"},"certificate":"C","expiration":"soon"})");
    CHECK(daemon.world.run(daemon.workload->identity_certificate()).error().code == Errc::malformed);

    daemon.will_answer(200, R"({"certificate":"PEM"})");
    CHECK(daemon.world.run(daemon.workload->trust_bundle()).value() == "PEM");
    CHECK(daemon.last() == "GET /trust-bundle?api-version=2018-06-28");
}

TEST_CASE("a daemon is reached over a unix socket or plain HTTP, and any other address is refused") {
    Daemon daemon;
    auto& network = daemon.world.network();
    auto& clock = daemon.world.clock();
    for (const auto* good : {"unix:///a", "http://localhost:1234", "http://localhost", "http://localhost:80/"})
        CHECK_MESSAGE(WorkloadClient::create(network, clock, good, "m", "1"), good);
    for (const auto* bad : {"", "unix://", "https://x", "http://", "http://x:0", "http://x:y", "/run/x.sock"})
        CHECK_MESSAGE(WorkloadClient::create(network, clock, bad, "m", "1").error().code == Errc::malformed, bad);
}
