#include "cloud/cloud_test.hpp"

#include "base/encoding.hpp"
#include "cloud/certificates.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>
#include <boost/json/parse.hpp>

#include <array>

namespace skerry::cloud {

namespace mqtt = codec::mqtt;
namespace json = boost::json;

Task<> TestDevice::send(mqtt::Packet packet) {
    std::string bytes;
    mqtt::encode(packet, bytes);
    static_cast<void>(co_await stream_->write(bytes));
}

namespace {
Task<Result<std::optional<mqtt::Packet>>> receive_from(net::Stream& stream, mqtt::Decoder& decoder) {
    std::array<char, 4096> buffer{};
    for (;;) {
        auto packet = decoder.next();
        if (!packet) co_return fail(packet.error());
        if (*packet) co_return std::move(*packet);
        const auto count = co_await stream.read_some(buffer);
        if (!count || *count == 0) co_return std::optional<mqtt::Packet>();
        decoder.feed(std::string_view(buffer.data(), *count));
    }
}
}  // namespace

Task<std::optional<mqtt::Packet>> TestDevice::receive() {
    auto packet = co_await with_timeout(clock_, std::chrono::seconds(10), receive_from(*stream_, decoder_));
    if (!packet) throw std::runtime_error(packet.error().text);
    co_return std::move(*packet);
}

Task<mqtt::ConnectCode> TestDevice::connect(std::string client_id, std::string user_name, std::string password,
                                            std::optional<mqtt::Will> will, std::uint16_t keep_alive) {
    mqtt::Connect packet;
    packet.client_id = std::move(client_id);
    packet.user_name = std::move(user_name);
    packet.password = std::move(password);
    packet.will = std::move(will);
    packet.keep_alive_seconds = keep_alive;
    co_await send(std::move(packet));
    co_return (co_await expect<mqtt::Connack>()).code;
}

Task<std::vector<std::uint8_t>> TestDevice::subscribe(std::vector<std::string> filters) {
    mqtt::Subscribe packet{.id = 7, .filters = {}};
    for (auto& filter : filters) packet.filters.push_back({std::move(filter), mqtt::QoS::at_least_once});
    co_await send(std::move(packet));
    co_return (co_await expect<mqtt::Suback>()).codes;
}

Task<> TestDevice::publish(std::string topic, std::string payload, mqtt::PacketId id) {
    const auto qos = id == 0 ? mqtt::QoS::at_most_once : mqtt::QoS::at_least_once;
    co_await send(mqtt::Publish{std::move(topic), std::move(payload), qos, false, false, id, {}});
}

TestCloud::TestCloud(std::filesystem::path data, Executor executor)
    : folder(std::move(data)), network(net::make_system_network(executor)), executor_(std::move(executor)) {}

Task<> TestCloud::start() {
    Options options;
    options.data = folder;
    options.listen = "127.0.0.1";
    options.host_names = {"hub.test"};
    options.mqtt_port = 0;
    options.https_port = 0;
    auto started = co_await Cloud::start(std::move(options), platform());
    if (!started) throw std::runtime_error(started.error().text);
    cloud = std::move(*started);
}

Task<> TestCloud::close() {
    co_await cloud->close();
    cloud.reset();
}

Task<> TestCloud::restart() {
    co_await close();
    co_await start();
}

namespace {
std::shared_ptr<net::TlsClient> trusting(TestCloud& test) {
    const auto ca = storage::read_file(*test.files, test.folder / ca_certificate_file).value();
    return net::TlsClient::create(
               {.trusted_pem = ca, .trust_system_store = false, .certificate_chain_pem = {}, .private_key_pem = {}})
        .value();
}
}  // namespace

Task<Reply> TestCloud::call(std::string method, std::string target, std::string body, std::string token,
                            std::optional<std::string> if_match) {
    auto connector = token.empty() ? net::unix_connector(*network, folder / admin_socket_file)
                                   : net::tls_connector(*network, "127.0.0.1", cloud->https_port(), trusting(*this));
    net::HttpClient http(clock, std::move(connector));
    codec::HttpRequest request{
        .method = std::move(method), .target = std::move(target), .headers = {}, .body = std::move(body)};
    if (!token.empty()) request.headers.set("Authorization", token);
    if (if_match) request.headers.set("If-Match", *if_match);
    const auto response = co_await http.exchange(std::move(request), std::chrono::seconds(10));
    if (!response) throw std::runtime_error(response.error().text);
    Reply reply{.status = response->status, .body = nullptr, .error_code = {}};
    if (!response->body.empty()) reply.body = json::parse(response->body);
    if (const auto code = response->headers.find("iothub-errorcode")) reply.error_code = *code;
    co_return reply;
}

Task<json::object> TestCloud::create(std::string device, std::string members) {
    const auto reply =
        co_await call("PUT", "/devices/" + percent_encode(device), "{\"deviceId\":\"" + device + "\"" + members + "}");
    if (reply.status != 200) throw std::runtime_error("creating " + device);
    co_return reply.body.as_object();
}

Task<json::object> TestCloud::create_module(std::string device, std::string module) {
    const auto reply = co_await call("PUT", "/devices/" + device + "/modules/" + percent_encode(module), "{}");
    if (reply.status != 200) throw std::runtime_error("creating " + module);
    co_return reply.body.as_object();
}

Task<std::vector<json::object>> TestCloud::events(std::string device) {
    net::HttpClient http(clock, net::unix_connector(*network, folder / admin_socket_file));
    codec::HttpRequest request;
    request.target = "/admin/events?from=start" + (device.empty() ? device : "&device=" + device);
    const auto response = co_await http.exchange(std::move(request), std::chrono::seconds(10));
    std::vector<json::object> found;
    std::string_view rest = response.value().body;
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        found.push_back(model::parse_object(rest.substr(0, end)).value());
        rest.remove_prefix(end + 1);
    }
    co_return found;
}

Task<TestDevice> TestCloud::dial() {
    auto stream = co_await network->connect_tls("127.0.0.1", cloud->mqtt_port(), trusting(*this));
    if (!stream) throw std::runtime_error(stream.error().text);
    co_return TestDevice(std::move(*stream), clock);
}

std::string TestCloud::user_name(const std::string& id, const std::vector<std::string>& chain) {
    return iothub::format_user_name("hub.test", model::Identity::parse(id).value(), "test", chain);
}

Task<std::string> TestCloud::token(std::string id, Duration lifetime) {
    const auto identity = model::Identity::parse(id).value();
    auto path = "/devices/" + percent_encode(identity.device_id());
    if (identity.is_module()) path += "/modules/" + percent_encode(identity.module_id());
    const auto reply = co_await call("GET", path);
    const std::string key(reply.body.at("authentication").at("symmetricKey").at("primaryKey").as_string());
    co_return iothub::make_sas(iothub::resource_of("hub.test", identity), base64_decode(key).value(),
                               clock.wall() + lifetime);
}

Task<std::string> TestCloud::policy_token(std::string policy) {
    const auto info = co_await call("GET", "/admin/info");
    const auto text = iothub::parse_connection_string(info.body.at(policy).as_string()).value();
    co_return iothub::make_sas(text.host, text.key, clock.wall() + std::chrono::hours(1), text.policy);
}

Task<TestDevice> TestCloud::device(std::string id) {
    auto made = co_await dial();
    const auto password = co_await token(id);
    const auto code = co_await made.connect(id, user_name(id), password);
    if (code != mqtt::ConnectCode::accepted) throw std::runtime_error(id + " is not accepted");
    static_cast<void>(co_await made.subscribe(
        {"$iothub/methods/POST/#", "$iothub/twin/res/#", "$iothub/twin/PATCH/properties/desired/#"}));
    co_return made;
}

namespace {
Task<int> run_test(const std::function<Task<>(TestCloud& cloud)>& test, Executor executor) {
    const sim::TemporaryFolder folder;
    TestCloud cloud(folder.path(), std::move(executor));
    co_await cloud.start();
    std::string failure;
    try {
        co_await test(cloud);
    } catch (const std::exception& thrown) { failure = thrown.what(); }
    if (cloud.cloud) co_await cloud.close();
    CHECK(failure == "");
    co_return 0;
}
}  // namespace

void with_cloud(const std::function<Task<>(TestCloud& cloud)>& test) {
    Loop loop;
    CHECK(loop.run([&](Event&) { return run_test(test, loop.executor()); }) == 0);
}

}  // namespace skerry::cloud
