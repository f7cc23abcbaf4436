#include "base/encoding.hpp"
#include "crypto/crypto.hpp"
#include "iothub/sas.hpp"
#include "model/twin.hpp"
#include "sdk/module_client.hpp"
#include "sim/temporary_folder.hpp"
#include "sim/world.hpp"

#include <doctest/doctest.h>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fstream>

using namespace skerry;
using namespace skerry::sdk;
using namespace std::chrono_literals;

namespace {
const std::string key = "the module's key";

std::string root_certificate() {
    const auto pem = crypto::generate_private_key_pem(crypto::KeyKind::p256).value();
    crypto::CertificateRequest request;
    request.common_name = "test root";
    request.is_ca = true;
    request.not_before = WallTime{} + 24h * 365 * 53;
    request.not_after = WallTime{} + 24h * 365 * 90;
    return crypto::self_signed_certificate(request, pem).value();
}

// A device: a workload API in a world, and the variables that an agent sets.
struct Device {
    sim::World world;
    std::unique_ptr<storage::Files> files{storage::make_system_files()};
    TaskScope tasks{world.executor()};
    std::unique_ptr<net::Listener> listener;
    std::string bundle{root_certificate()};
    unsigned bundle_status{200};
    std::vector<std::string> targets;
    net::HttpHandler handler{
        [this](codec::HttpRequest request, const net::Peer&) { return answer(*this, std::move(request)); }};
    std::map<std::string, std::string> variables{{"IOTEDGE_WORKLOADURI", "unix:///run/m1.sock"},
                                                 {"IOTEDGE_DEVICEID", "d1"},
                                                 {"IOTEDGE_MODULEID", "m1"},
                                                 {"IOTEDGE_MODULEGENERATIONID", "638"},
                                                 {"IOTEDGE_IOTHUBHOSTNAME", "hub.example"},
                                                 {"IOTEDGE_GATEWAYHOSTNAME", "edge.example"},
                                                 {"IOTEDGE_AUTHSCHEME", "sasToken"}};

    ~Device() { world.run(tasks.close()); }

    void serve() {
        listener = world.network().listen_unix("/run/m1.sock", 0666).value();
        tasks.spawn("workload", accept(*this));
    }
    Result<Connection> connection() {
        return world.run(
            connection_from_environment({world.executor(), world.clock(), world.random(), world.network(), *files},
                                        daemonapi::Environment(variables)));
    }

private:
    static Task<> accept(Device& self) {
        for (;;) {
            auto stream = co_await self.listener->accept();
            if (!stream) co_return;
            self.tasks.spawn("connection", serve_one(self, std::move(*stream)));
        }
    }
    static Task<> serve_one(Device& self, std::unique_ptr<net::Stream> stream) {
        co_await net::serve_http(*stream, self.world.clock(), self.handler);
    }
    static Task<codec::HttpResponse> answer(Device& self, codec::HttpRequest request) {
        self.targets.push_back(request.target);
        codec::HttpResponse response;
        boost::json::object body;
        if (request.raw_path() == "/trust-bundle") {
            response.status = self.bundle_status;
            body["certificate"] = self.bundle;
        } else if (request.raw_path() == "/modules/m1/genid/638/sign") {
            const auto asked = model::parse_object(request.body).value();
            const auto data = base64_decode(std::string_view(asked.at("data").as_string())).value();
            body["digest"] = base64_encode(crypto::hmac_sha256(key, data));
        } else {
            response.status = 404;
        }
        response.body = boost::json::serialize(body);
        co_return response;
    }
};
}  // namespace

TEST_CASE("a module's connection comes from its environment: the gateway, its identity, a token signed by the daemon") {
    Device device;
    device.serve();
    const auto connection = device.connection();
    REQUIRE(connection);
    CHECK(connection->options.dial_host == "edge.example");
    CHECK(connection->options.port == 8883);
    CHECK(connection->options.tls);
    CHECK(connection->options.identity.id() == "d1/m1");
    const auto token = iothub::parse_sas(device.world.run(connection->credentials->token()).value());
    REQUIRE(token);
    CHECK(iothub::is_signed_with(*token, key));
    const std::vector<std::string> hosts{"hub.example"};
    CHECK(iothub::covers(*token, hosts, connection->options.identity));
    CHECK(device.targets == std::vector<std::string>{"/trust-bundle?api-version=2018-06-28",
                                                     "/modules/m1/genid/638/sign?api-version=2018-06-28"});

    device.variables.erase("IOTEDGE_GATEWAYHOSTNAME");
    CHECK(device.connection()->options.dial_host == "hub.example");
}

TEST_CASE("a daemon that comes late is waited for; one that never comes is an error") {
    Device device;
    device.tasks.spawn("late", [](Device& late) -> Task<> {
        co_await late.world.clock().sleep(20s);
        late.serve();
    }(device));
    CHECK(device.connection());

    Device alone;
    const auto failed = alone.connection();
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Errc::unreachable);
    CHECK(failed.error().text.find("trust bundle") != std::string::npos);
}

TEST_CASE("a device without a trust bundle is fine; a bundle that is no certificate is not") {
    Device device;
    device.serve();
    device.bundle_status = 404;
    CHECK(device.connection());
    device.bundle_status = 200;
    device.bundle = "-----BEGIN CERTIFICATE-----\nbad\n-----END CERTIFICATE-----\n";
    CHECK_FALSE(device.connection());
}

TEST_CASE("a missing or impossible variable is named") {
    for (const auto* name : {"IOTEDGE_WORKLOADURI", "IOTEDGE_DEVICEID", "IOTEDGE_MODULEID",
                             "IOTEDGE_MODULEGENERATIONID", "IOTEDGE_IOTHUBHOSTNAME"}) {
        Device device;
        device.variables.erase(name);
        const auto failed = device.connection();
        REQUIRE_FALSE(failed);
        CHECK_MESSAGE(failed.error().text.find(name) != std::string::npos, failed.error().text);
    }
    Device device;
    device.variables["IOTEDGE_AUTHSCHEME"] = "x509";
    CHECK(device.connection().error().code == Errc::unsupported);
    device.variables["IOTEDGE_AUTHSCHEME"] = "SasToken";
    device.variables["IOTEDGE_WORKLOADURI"] = "ftp://x";
    CHECK(device.connection().error().code == Errc::malformed);
}

TEST_CASE("a developer's connection string takes the place of the daemon") {
    Device device;
    sim::TemporaryFolder folder;
    std::ofstream(folder / "ca.pem") << device.bundle;
    device.variables = {{"EdgeHubConnectionString",
                         "HostName=hub.example;DeviceId=d1;ModuleId=m1;GatewayHostName=edge.example;"
                         "SharedAccessKey=" +
                             base64_encode(key)},
                        {"EdgeModuleCACertificateFile", (folder / "ca.pem").native()}};
    const auto connection = device.connection();
    REQUIRE(connection);
    CHECK(connection->options.dial_host == "edge.example");
    const auto token = iothub::parse_sas(device.world.run(connection->credentials->token()).value());
    CHECK(iothub::is_signed_with(*token, key));

    device.variables["EdgeModuleCACertificateFile"] = (folder / "none").native();
    CHECK(device.connection().error().text.find("EdgeModuleCACertificateFile") != std::string::npos);
    device.variables["EdgeHubConnectionString"] =
        "HostName=hub.example;DeviceId=d1;SharedAccessKey=" + base64_encode(key);
    const auto failed = device.connection();
    REQUIRE_FALSE(failed);
    CHECK(failed.error().text.find(base64_encode(key)) == std::string::npos);
}
