// The metrics page as Prometheus reads it, from a whole hub.
#include "hub/metrics/metrics.hpp"

#include "hub/test_hub.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>

using namespace skerry;
using namespace skerry::hub;
using namespace skerry::hub::testing;
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

// No series twice, every sample under its family, every value a number.
void check_format(const std::string& text) {
    std::set<std::string> seen;
    std::string family;
    for (const auto& line : lines_of(text)) {
        if (line.starts_with("# TYPE ")) {
            family = line.substr(7, line.find(' ', 7) - 7);
            CHECK_MESSAGE(seen.insert(family).second, line);
        } else if (!line.starts_with("# HELP ")) {
            const auto space = line.rfind(' ');
            CHECK_MESSAGE(line.starts_with(family), line);
            CHECK_MESSAGE(seen.insert(line.substr(0, space)).second, line);
            const auto value = line.substr(space + 1);
            const bool is_number = value == "NaN" || std::isdigit(static_cast<unsigned char>(value.back())) != 0;
            CHECK_MESSAGE(is_number, line);
            CHECK_MESSAGE(line.contains(R"(iothub="hub.example.net",edge_device="edge1",instance_number=")"), line);
        }
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

TEST_CASE("label values can't break the format") {
    CHECK(label_text({{"a", "x\"y\\z\n"}, {"b", ""}}) == R"(a="x\"y\\z\n",b="")");
    Exposition out("c=\"1\"");
    out.family("n_total", "counter", "What it is");
    out.sample("", std::uint64_t{3});
    out.sample(label_text({{"a", "b"}}), 0.5);
    CHECK(out.take() ==
          "# HELP n_total What it is\n# TYPE n_total counter\nn_total{c=\"1\"} 3\nn_total{a=\"b\",c=\"1\"} 0.5\n");
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
    class NoQueues final : public QueueStore {
        Task<Result<>> append(model::SharedMessage, std::vector<QueueTarget>) override { co_return Result<>{}; }
        bool has_room() const override { return true; }
        Result<> submit(const model::SharedMessage&, const std::vector<QueueTarget>&, std::shared_ptr<StoreWaiter>,
                        std::uint64_t) override {
            return {};
        }
        EndpointQueue& endpoint(std::string_view) override { throw std::runtime_error("no queue here"); }
        Task<Result<>> drop(std::string_view) override { co_return Result<>{}; }
        void set_size_limit(std::uint64_t) override {}
        std::vector<QueueStatus> status() const override { return {}; }
        std::uint64_t bytes_on_disk() const override { return 0; }
        Task<> close() override { co_return; }
    } const no_queues;
    const auto text = metrics.text(no_queues, 0);
    CHECK(value_of(text, "edgehub_messages_received_total", R"(route_output="o0")") == "1");
    CHECK(value_of(text, "edgehub_messages_received_total", R"x(route_output="(others)")x") == "69");
    CHECK(value_of(text, "edgehub_client_connect_failed_total", R"(id="other")") == "1000");
}
