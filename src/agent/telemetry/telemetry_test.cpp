#include "agent/telemetry/telemetry.hpp"

#include "agent/telemetry/aggregate.hpp"
#include "agent/world_test.hpp"
#include "base/encoding.hpp"
#include "base/random.hpp"
#include "crypto/crypto.hpp"
#include "net/network.hpp"

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <cmath>
#include <limits>

using namespace skerry;
using namespace skerry::agent;
using namespace skerry::agent::testing;
using namespace std::chrono_literals;

namespace {

std::string hash(std::string_view text) { return base64_encode(crypto::sha256(text)); }

// The scrubbed sample as text; "" when it is not to be sent.
std::string sent_of(std::string_view line) {
    auto sample = parse_sample(line);
    if (!sample) return "no sample";
    const auto scrubbed = scrub(std::move(*sample));
    if (!scrubbed) return "";
    auto text = scrubbed->name;
    for (const auto& [name, value] : scrubbed->labels) text += fmt::format(" {}={}", name, value);
    return fmt::format("{} {}", text, scrubbed->value);
}

Sample sample_of(std::string name, std::map<std::string, std::string> labels, double value) {
    return {.name = std::move(name), .labels = std::move(labels), .value = value};
}

WallTime at(Duration since_epoch) { return WallTime(since_epoch); }

struct Desk {
    World world;
    SystemRandom random;
    std::unique_ptr<net::Network> network{net::make_system_network(world.executor())};
    TelemetrySettings settings{.enabled = true,
                               .scrape_every = 1h,
                               .upload_every = 24h,
                               .longest_kept = std::chrono::days(7),
                               .hub_page = "nowhere"};
    double value{1};
    std::vector<model::SharedMessage> sent;
    std::optional<Errc> refusal;
    std::unique_ptr<Telemetry> telemetry;
    std::unique_ptr<TaskScope> scope;

    void start() {
        telemetry = std::make_unique<Telemetry>(
            Telemetry::Parts{.platform = {world.executor(), world.clock(), random, *network, *world.files},
                             .settings = settings,
                             .folder = world.folder / "telemetry",
                             .own_page = [this] { return fmt::format("up{{ms_telemetry=\"True\"}} {}\n", value++); },
                             .send = [this](model::SharedMessage message) { return send(std::move(message)); }});
        scope = std::make_unique<TaskScope>(world.executor());
        scope->spawn("scraping", telemetry->keep_scraping());
        scope->spawn("uploading", telemetry->keep_uploading());
    }
    Task<Result<>> send(model::SharedMessage message) {
        if (refusal) co_return fail(*refusal, "refused for the test");
        sent.push_back(std::move(message));
        co_return Result<>{};
    }
    bool kept() { return world.files->exists(world.folder / "telemetry" / "telemetry.bin"); }
    std::size_t points() {
        const auto bytes = storage::read_file(*world.files, world.folder / "telemetry" / "telemetry.bin");
        return Diagnostics::decode(bytes.value()).value().points();
    }
    ~Desk() {
        if (scope) scope->cancel();
        world.run_for(1s);
    }
};

}  // namespace

TEST_CASE("what leaves the device identifies neither it nor its modules") {
    const std::pair<std::string, std::string> cases[] = {
        {R"(a{ms_telemetry="True",iothub="h",edge_device="d",instance_number="1"} 5)", "a instance_number=1 5"},
        {R"(a{ms_telemetry="False"} 5)", ""},
        {R"(a{x="1"} 5)", ""},
        {R"(a 5)", ""},
        {R"(a{ms_telemetry="True",quantile="0.9"} 5)", "a quantile=0.9 5"},
        {R"(a{ms_telemetry="True",quantile="0.1"} 5)", ""},
        {R"(a{ms_telemetry="True",quantile="0.5"} 5)", ""},
        {R"(a{ms_telemetry="True",quantile="0.99"} 5)", ""},
        {R"(a{ms_telemetry="True",quantile="0.9"} NaN)", ""},
        {R"(a{ms_telemetry="True",id="d"} 5)", "a id=device 5"},
        {R"(a{ms_telemetry="True",id="d/$edgeHub"} 5)", "a id=device/$edgeHub 5"},
        {R"(a{ms_telemetry="True",id="d/sensor"} 5)", "a id=device/" + hash("sensor") + " 5"},
        {R"(a{ms_telemetry="True",module_name="edgeAgent"} 5)", "a module_name=edgeAgent 5"},
        {R"(a{ms_telemetry="True",module_name="sensor"} 5)", "a module_name=" + hash("sensor") + " 5"},
        {R"(a{ms_telemetry="True",module_version="1.2-acme"} 5)", "a module_version=" + hash("1.2-acme") + " 5"},
        {R"(a{ms_telemetry="True",to="d/x",from="d/y"} 5)", "a from=" + hash("d/y") + " to=" + hash("d/x") + " 5"},
        {R"(a{ms_telemetry="True",to_route_input="i",from_route_output="o"} 5)",
         "a from_route_output=" + hash("o") + " to_route_input=" + hash("i") + " 5"},
        {R"(a{ms_telemetry="True",disk_name="/home/me"} 5)", "a disk_name=" + hash("/home/me") + " 5"},
        {R"(a{ms_telemetry="True",whatever_comes="me"} 5)", "a whatever_comes=" + hash("me") + " 5"},
        {R"(a{ms_telemetry="true",command="start",priority="1"} 0.25)", "a command=start priority=1 0.25"}};
    for (const auto& [line, wanted] : cases) {
        CAPTURE(line);
        CHECK(sent_of(line) == wanted);
    }
}

TEST_CASE("a page's lines are read as Prometheus writes them, in any pieces") {
    for (const auto* bad : {"", "# HELP a b", "a", "{} 5", "a{ 5", "a{x=\"1} 5", "a{x=\"1\"", "a{x=\"1\"}5", "a x",
                            "a{x=\"1\",x=\"2\"} 5", "a{=\"1\"} 5", "a{x=\"\\"})
        CHECK_MESSAGE(!parse_sample(bad), bad);
    const auto read = parse_sample(R"(n_total{a="x\"y\\z\n",b=""} 1.5e3 1700000000)");
    REQUIRE(read);
    CHECK(read->labels == std::map<std::string, std::string>{{"a", "x\"y\\z\n"}, {"b", ""}});
    CHECK(read->value == 1500);
    CHECK(parse_sample("a{} 5")->labels.empty());
    const std::string page = "first 1\n" + std::string(9000, 'x') + " 1\nlast 2\n";
    for (const std::size_t piece : {1UL, 7UL, 20'000UL}) {
        Lines lines;
        std::vector<std::string> seen;
        for (std::size_t from = 0; from < page.size(); from += piece)
            lines.feed(std::string_view(page).substr(from, piece),
                       [&](std::string_view line) { seen.emplace_back(line); });
        CHECK(seen == std::vector<std::string>{"first 1", "last 2"});
    }
}

TEST_CASE("series that differ by what is not sent are added up, or averaged") {
    Aggregate aggregate;
    aggregate.add(sample_of("edgehub_gettwin_total", {{"id", "a"}, {"source", "upstream"}}, 1));
    aggregate.add(sample_of("edgehub_gettwin_total", {{"id", "b"}, {"source", "upstream"}}, 2));
    aggregate.add(sample_of("edgehub_gettwin_total", {{"id", "b"}, {"source", "edge_hub"}}, 4));
    aggregate.add(sample_of("edgehub_message_size_bytes_sum", {{"id", "a"}}, 10));
    aggregate.add(sample_of("edgehub_message_size_bytes_sum", {{"id", "b"}}, 20));
    aggregate.add(
        sample_of("edgehub_message_process_duration_seconds", {{"from", "a"}, {"to", "b"}, {"priority", "1"}}, 2));
    aggregate.add(
        sample_of("edgehub_message_process_duration_seconds", {{"from", "c"}, {"to", "b"}, {"priority", "1"}}, 6));
    aggregate.add(sample_of("other", {{"id", "a"}}, 1));
    aggregate.add(sample_of("other", {{"id", "b"}}, 2));
    const std::vector<Sample> wanted{sample_of("edgehub_gettwin_total", {{"source", "edge_hub"}}, 4),
                                     sample_of("edgehub_gettwin_total", {{"source", "upstream"}}, 3),
                                     sample_of("edgehub_message_process_duration_seconds", {{"priority", "1"}}, 4),
                                     sample_of("edgehub_message_size_bytes_sum", {}, 15),
                                     sample_of("other", {{"id", "a"}}, 1),
                                     sample_of("other", {{"id", "b"}}, 2)};
    CHECK(aggregate.take() == wanted);
    for (int n = 0; n < 5000; ++n) aggregate.add(sample_of(fmt::format("m{}", n), {}, 1));
    CHECK(aggregate.take().size() == 2000);
}

TEST_CASE("the binary format is the documented one, and what was written is read again") {
    Diagnostics diagnostics;
    diagnostics.add({sample_of("up", {{"a", "b"}}, 1.5)}, at(0s));
    std::string wanted;
    put_le(wanted, std::int32_t{2});
    wanted += "up";
    put_le(wanted, std::int32_t{9});
    wanted += R"({"a":"b"})";
    put_le(wanted, std::int32_t{1});
    put_le(wanted, std::int64_t{621'355'968'000'000'000});
    put_le(wanted, std::uint64_t{0x3ff8000000000000});
    CHECK(diagnostics.encode() == wanted);
    CHECK(diagnostics.messages() == std::vector<std::string>{wanted});
    diagnostics.add({sample_of("up", {{"a", "b"}}, 2), sample_of("up", {}, -0.0)}, at(1h));
    CHECK(Diagnostics::decode(diagnostics.encode()).value().series() == diagnostics.series());
    for (std::size_t cut = 1; cut < wanted.size(); ++cut)
        CHECK_FALSE(Diagnostics::decode(std::string_view(wanted).substr(0, cut)));
}

TEST_CASE("of values that do not change the first and the last stay") {
    Diagnostics diagnostics;
    for (int hour = 0; hour < 10; ++hour) diagnostics.add({sample_of("up", {}, hour < 7 ? 1 : 2)}, at(hour * 1h));
    const auto& points = diagnostics.series().begin()->second;
    CHECK(points.size() == 4);
    diagnostics.forget_before(at(7h));
    CHECK(diagnostics.points() == 2);
    diagnostics.forget_before(at(99h));
    CHECK(diagnostics.empty());
}

TEST_CASE("points without end are bounded, the oldest give way, and messages have their size") {
    Diagnostics diagnostics;
    std::vector<Sample> samples;
    for (int hour = 0; hour < 50; ++hour) {
        samples.clear();
        for (int n = 0; n < 1000; ++n) samples.push_back(sample_of(fmt::format("m{}", n), {}, hour));
        diagnostics.add(samples, at(hour * 1h));
    }
    CHECK(diagnostics.points() <= 20'000);
    CHECK(diagnostics.points() >= 15'000);
    CHECK(diagnostics.series().begin()->second.back().value == 49);
    std::size_t points = 0;
    for (const auto& message : diagnostics.messages()) {
        CHECK(message.size() <= 255'000);
        points += Diagnostics::decode(message).value().points();
    }
    CHECK(points == diagnostics.points());
    samples.clear();
    for (int n = 0; n < 30'000; ++n) samples.push_back(sample_of(fmt::format("n{}", n), {}, 1));
    Diagnostics at_once;
    at_once.add(samples, at(1h));
    CHECK(at_once.points() <= 20'000);
}

TEST_CASE("telemetry is off unless it is asked for, and then nothing is kept or sent") {
    CHECK_FALSE(Settings::from(daemonapi::Environment(std::map<std::string, std::string>{})).telemetry.enabled);
    CHECK(Settings::from(daemonapi::Environment({{"SendRuntimeQualityTelemetry", "true"}})).telemetry.enabled);
    Desk desk;
    desk.settings.enabled = false;
    desk.start();
    desk.world.run_for(72h);
    CHECK(desk.sent.empty());
    CHECK_FALSE(desk.kept());
}

TEST_CASE("what was scraped every hour is sent once a day, as the documented message") {
    Desk desk;
    desk.settings.upload_every = 24h;
    desk.start();
    desk.world.run_for(24h);
    const auto first = desk.sent.size();
    CHECK(first <= 1);
    desk.world.run_for(24h);
    REQUIRE(desk.sent.size() == first + 1);
    const auto& message = *desk.sent.back();
    CHECK(message.system_property("contentType") == "application/x-azureiot-edgeruntimediagnostics");
    const auto points = Diagnostics::decode(message.body).value().points();
    CHECK(points >= 23);
    CHECK(points <= 25);
    CHECK(desk.points() <= 48);
}

TEST_CASE("without the cloud telemetry waits on the disk, seven days at most; what the cloud refuses is dropped") {
    Desk desk;
    desk.refusal = Errc::unreachable;
    desk.start();
    desk.world.run_for(24h * 10);
    CHECK(desk.sent.empty());
    CHECK(desk.points() <= 24 * 7 + 1);
    CHECK(desk.points() >= 24 * 7 - 2);
    desk.refusal.reset();
    desk.world.run_for(13h);
    REQUIRE_FALSE(desk.sent.empty());
    CHECK(Diagnostics::decode(desk.sent.front()->body).value().points() > 24 * 6);
    const auto count = desk.sent.size();
    desk.refusal = Errc::malformed;
    desk.world.run_for(25h);
    CHECK(desk.sent.size() == count);
    CHECK(desk.points() <= 25);
}
