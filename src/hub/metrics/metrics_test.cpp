// The metrics page as Prometheus reads it, from a whole hub.
#include "hub/metrics/metrics.hpp"

#include "hub/metrics/paper_queues_test.hpp"
#include "hub/test_hub.hpp"
#include "metrics/page_test.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <fstream>
#include <sstream>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
using metrics::testing::Page;
using namespace std::chrono_literals;
namespace wire = codec::mqtt;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return lines;
}

// The value of the series whose name is `name` and whose labels begin with `labels`; empty: there is none.
std::string value_of(const std::string& text, std::string_view name, std::string_view labels) {
    const auto wanted = fmt::format("{}{{{}", name, labels);
    for (const auto& line : lines_of(text))
        if (line.starts_with(wanted)) return line.substr(line.rfind(' ') + 1);
    return {};
}

Task<std::string> page_of(TestHub& hub) {
    co_await hub.core().metrics().open().wait();
    codec::HttpRequest request;
    request.target = "/metrics";
    const auto answer = co_await hub.ask_plain(hub.core().metrics().port(), request);
    CHECK(answer.status == 200);
    CHECK(answer.headers.find("Content-Type") == "text/plain; version=0.0.4; charset=utf-8");
    co_return answer.body;
}

// What a parser says, and that every sample has the labels that all of them have.
void check_format(const std::string& text) {
    const Page page(text);
    for (const auto& [series, value] : page.samples()) {
        CHECK_MESSAGE(series.second.at("iothub") == "hub.example.net", series.first);
        CHECK(series.second.at("edge_device") == "edge1");
        CHECK(series.second.contains("instance_number"));
    }
}

}  // namespace

TEST_CASE("what was received, sent, dropped and asked for is counted under the existing hub's names") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            const auto filter = co_await hub.connect("edge1/filter");
            co_await filter->subscribe({"devices/edge1/modules/filter/inputs/#"});
            const auto sensor = co_await hub.connect("edge1/sensor");
            co_await sensor->publish("devices/edge1/modules/sensor/messages/events/%24.on=a", "one", 1);
            co_await sensor->publish("devices/edge1/modules/sensor/messages/events/%24.on=nowhere", "two", 2);
            (void)co_await sensor->expect<wire::Puback>();
            (void)co_await sensor->expect<wire::Puback>();
            const auto delivery = co_await filter->expect<wire::Publish>();
            co_await filter->send(wire::Puback{delivery.id});
            const auto get = "$iothub/twin/GET/?$rid=1";
            co_await filter->subscribe({"$iothub/twin/res/#"});
            co_await filter->publish(get, "", 0);
            (void)co_await filter->expect<wire::Publish>();
            co_await hub.eventually([&hub] { return hub.cloud.bodies_of("edge1/sensor").size() == 1; });
            auto stranger = co_await hub.dial();
            (void)co_await stranger->handshake(connect_packet("edge1/filter", "no token"));

            const auto text = co_await page_of(hub);
            check_format(text);
            const std::tuple<const char*, const char*, const char*> expected[] = {
                {"edgehub_messages_received_total", R"(route_output="a",id="edge1/sensor",ms_telemetry="True")", "1"},
                {"edgehub_messages_received_total", R"(route_output="nowhere",id="edge1/sensor")", "1"},
                {"edgehub_messages_sent_total",
                 R"(from="edge1/sensor",to="edge1/filter",from_route_output="a",to_route_input="in1",priority="2000000000")",
                 "1"},
                {"edgehub_messages_sent_total",
                 R"(from="edge1/sensor",to="upstream",from_route_output="a",to_route_input="")", "1"},
                {"edgehub_message_size_bytes_count", R"(id="edge1/sensor")", "2"},
                {"edgehub_message_send_duration_seconds_count", R"(from="edge1/sensor",to="edge1/filter")", "1"},
                {"edgehub_message_process_duration_seconds_count", R"(from="edge1/sensor",to="upstream",priority=)",
                 "1"},
                {"edgehub_messages_dropped_total",
                 R"(reason="no_route",from="edge1/sensor",from_route_output="nowhere")", "1"},
                {"edgehub_queue_length", R"(endpoint="edge1/filter/in1",priority="2000000000")", "0"},
                {"edgehub_queue_length", R"(endpoint="iothub",priority="2000000000")", "0"},
                {"skerry_hub_sender_queue_length", R"(id="edge1/sensor",priority="2000000000")", "0"},
                {"edgehub_gettwin_total", R"(source="upstream",id="edge1/filter")", "1"},
                {"edgehub_client_connect_success_total", R"(id="edge1/filter")", "1"},
                {"edgehub_client_connect_failed_total", R"(id="edge1/filter",reason="not_authenticated")", "1"},
                {"edgehub_connected_clients", R"(ms_telemetry="True")", "2"},
            };
            for (const auto& [name, labels, value] : expected)
                CHECK_MESSAGE(value_of(text, name, labels) == value, name << ' ' << labels << '\n' << text);
            CHECK(text.contains("skerry_hub_queue_bytes_on_disk{"));
            CHECK(text.contains("skerry_hub_seconds_since_upstream_ack{"));
            CHECK(text.contains("skerry_hub_store_sync_duration_seconds_bucket{le=\"0.0001\","));
            CHECK(text.contains("skerry_hub_store_group_records_bucket{le=\"+Inf\","));
            for (const auto* of_process : {"cpu_seconds_total", "resident_memory_bytes", "virtual_memory_bytes",
                                           "open_fds", "max_fds", "start_time_seconds"})
                CHECK_MESSAGE(text.contains(fmt::format("\nprocess_{}{{", of_process)), of_process);
            CHECK(text.contains("# TYPE edgehub_message_size_bytes summary\n"));
            for (const auto* quantile : {"0.1", "0.5", "0.9", "0.99"})
                CHECK(text.contains(fmt::format(
                    R"(edgehub_message_size_bytes{{id="edge1/sensor",ms_telemetry="True",quantile="{}",)", quantile)));

            codec::HttpRequest request;
            request.target = "/metrics";
            const auto over_tls = co_await hub.ask(request);
            CHECK(over_tls.status == 200);
            request.target = "/";
            CHECK((co_await hub.ask_plain(hub.core().metrics().port(), request)).status == 404);
            request.target = "/metrics";
            request.method = "POST";
            CHECK((co_await hub.ask_plain(hub.core().metrics().port(), request)).status == 405);
        },
        {"FROM /messages/modules/sensor/outputs/a INTO BrokeredEndpoint(\"/modules/filter/inputs/in1\")",
         "FROM /messages/modules/sensor/outputs/a INTO $upstream"});
}

TEST_CASE("the time without the cloud is counted, and what waits for it") {
    with_hub(
        [](TestHub& hub) -> Task<> {
            hub.go_offline();
            const auto sensor = co_await hub.connect("edge1/sensor");
            co_await sensor->publish("devices/edge1/modules/sensor/messages/events/", "one", 1);
            (void)co_await sensor->expect<wire::Puback>();
            const auto text = co_await page_of(hub);
            check_format(text);
            CHECK(value_of(text, "edgehub_queue_length", R"(endpoint="iothub")") == "1");
            CHECK(value_of(text, "edgehub_offline_count_total", R"(id="edge1/$edgeHub")") == "1");
            CHECK(value_of(text, "edgehub_offline_duration_seconds_count", R"(id="edge1/$edgeHub")") == "0");
            hub.go_online();
            const auto later = co_await page_of(hub);
            CHECK(value_of(later, "edgehub_offline_duration_seconds_count", R"(id="edge1/$edgeHub")") == "1");
        },
        {"FROM /messages/* INTO $upstream"});
}

TEST_CASE("outputs and series without end are counted together") {
    SystemClock clock;
    Metrics metrics(clock, "", 1h);
    auto& client = metrics.received_from(identity("edge1/sensor"));
    for (int i = 0; i < 100; ++i) {
        model::Message message;
        message.set_system_property("outputName", fmt::format("o{}", i));
        client.received(message);
    }
    for (int i = 0; i < 2000; ++i) metrics.not_authenticated(identity(fmt::format("stranger{}", i)));
    const PaperQueues no_queues;
    const auto text = metrics.text(no_queues, 0, {});
    CHECK(value_of(text, "edgehub_messages_received_total", R"(route_output="o0")") == "1");
    CHECK(value_of(text, "edgehub_messages_received_total", R"x(route_output="(others)")x") == "69");
    CHECK(value_of(text, "edgehub_client_connect_failed_total", R"(id="other")") == "1000");
}

TEST_CASE("what a queue has given up is counted by its reason, also when its last route has gone") {
    SystemClock clock;
    Metrics metrics(clock, "", 1h);
    PaperQueues queues;
    queues.queues = {{.endpoint = "edge1/filter/in",
                      .priority = 0,
                      .length = 3,
                      .expired = 1,
                      .aged = 2,
                      .dropped = 4,
                      .in_use = true,
                      .oldest = 90s},
                     {.endpoint = "edge1/gone/in",
                      .priority = 0,
                      .length = 0,
                      .expired = 10,
                      .aged = 0,
                      .dropped = 0,
                      .in_use = false,
                      .oldest = {}},
                     {.endpoint = "iothub//edge1/sensor",
                      .priority = 5,
                      .length = 2,
                      .expired = 0,
                      .aged = 0,
                      .dropped = 7,
                      .in_use = true,
                      .oldest = 5s},
                     {.endpoint = "iothub//leaf1",
                      .priority = 5,
                      .length = 1,
                      .expired = 0,
                      .aged = 0,
                      .dropped = 0,
                      .in_use = true,
                      .oldest = 1500ms},
                     {.endpoint = "iothub//leaf2",
                      .priority = 7,
                      .length = 4,
                      .expired = 0,
                      .aged = 0,
                      .dropped = 0,
                      .in_use = true,
                      .oldest = {}}};
    const auto text = metrics.text(queues, 0, {});
    const Page page(text);
    const std::tuple<const char*, const char*, const char*> expected[] = {
        {"edgehub_messages_dropped_total", R"(reason="ttl_expiry",from="")", "11"},
        {"edgehub_messages_dropped_total", R"(reason="max_age",from="")", "2"},
        {"edgehub_messages_dropped_total", R"(reason="store_full",from="")", "4"},
        {"edgehub_messages_dropped_total", R"(reason="store_full",from="edge1/sensor")", "7"},
        {"edgehub_queue_length", R"(endpoint="edge1/filter/in")", "3"},
        {"edgehub_queue_length", R"(endpoint="edge1/gone/in")", ""},
        {"edgehub_queue_length", R"(endpoint="iothub",priority="5")", "3"},
        {"skerry_hub_queue_oldest_message_age_seconds", R"(endpoint="edge1/filter/in")", "90"},
        {"skerry_hub_queue_oldest_message_age_seconds", R"(endpoint="iothub",priority="5")", "5"},
        {"skerry_hub_queue_oldest_message_age_seconds", R"(endpoint="iothub",priority="7")", ""},  // not known yet
        {"skerry_hub_sender_queue_oldest_message_age_seconds", R"(id="leaf1")", "1.5"},
    };
    for (const auto& [name, labels, value] : expected)
        CHECK_MESSAGE(value_of(text, name, labels) == value, name << ' ' << labels << '\n' << text);
}

TEST_CASE("messages of the cloud to a device are counted as received, sent, and expired") {
    with_hub([](TestHub& hub) -> Task<> {
        const auto leaf = co_await hub.connect("leaf1");
        co_await leaf->subscribe({"devices/leaf1/messages/devicebound/#"});
        TaskScope scope(co_await boost::asio::this_coro::executor);
        const auto pass_on = [](TestHub& of, model::Message message) -> Task<> {
            (void)co_await of.cloud.listener->on_cloud_to_device(identity("leaf1"), std::move(message));
        };
        scope.spawn("message", pass_on(hub, model::Message{}));
        const auto publish = co_await leaf->expect<wire::Publish>();
        co_await leaf->send(wire::Puback{publish.id});
        co_await scope.idle();
        model::Message late;
        late.set_system_property("absolute-expiry-time", "2001-01-01T00:00:00Z");
        co_await pass_on(hub, std::move(late));
        const auto text = co_await page_of(hub);
        check_format(text);
        CHECK(value_of(text, "edgehub_messages_received_total", R"(route_output="",id="upstream")") == "2");
        CHECK(value_of(text, "edgehub_messages_sent_total",
                       R"(from="upstream",to="leaf1",from_route_output="",to_route_input="")") == "1");
        CHECK(value_of(text, "edgehub_message_send_duration_seconds_count", R"(from="upstream",to="leaf1")") == "1");
        CHECK(value_of(text, "edgehub_messages_dropped_total", R"(reason="ttl_expiry",from="upstream")") == "1");
    });
}

TEST_CASE("the page about metrics lists every family with its type") {
    std::ifstream in(SKERRY_SOURCE_DIR "/docs/hub-metrics.md");
    std::stringstream documented;
    documented << in.rdbuf();
    SystemClock clock;
    Metrics metrics(clock, "", 1h);
    ProcessStatus process;
    process.started = 1;
    process.open_files = process.most_files = 1;
    const auto text = metrics.text(PaperQueues(), 0, process);
    for (const auto& [name, type] : Page(text).types())
        CHECK_MESSAGE(documented.str().contains(fmt::format("| `{}` | {} |", name, type)), name);
}
