#include "base/loop.hpp"
#include "cli/cloud_commands.hpp"
#include "net/network.hpp"

#include <doctest/doctest.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <optional>

using namespace skerry;
using namespace skerry::cli;

namespace {
Task<int> note(std::optional<CloudServeArguments>& served, CloudServeArguments arguments) {
    served = std::move(arguments);
    co_return 7;
}

// Parses `words` and runs what they ask for; what reached the role is in `served`.
struct Line {
    std::optional<CloudServeArguments> served;
    Invocation invocation;
    CLI::App app{"test", "skerry"};

    explicit Line(const std::string& words) {
        add_cloud_commands(app, invocation, [this](CloudServeArguments arguments, Platform, Event&) {
            return note(served, std::move(arguments));
        });
        app.parse(words);
    }
    int run() {
        Loop loop;
        SystemClock clock;
        SystemRandom random;
        const auto files = storage::make_system_files();
        const auto network = net::make_system_network(loop.executor());
        return loop.run(
            [&](Event& stop) { return invocation.action({loop.executor(), clock, random, *network, *files}, stop); });
    }
};
}  // namespace

TEST_CASE("serve hands its arguments to the role") {
    Line line("cloud serve --data /tmp/x --listen 127.0.0.11 --hostname a.test b.test");
    CHECK(line.run() == 7);
    REQUIRE(line.served);
    CHECK(line.served->data == "/tmp/x");
    CHECK(line.served->listen == "127.0.0.11");
    CHECK(line.served->host_names == std::vector<std::string>{"a.test", "b.test"});
    CHECK(line.served->mqtt_port == 8883);
}

TEST_CASE("without a host name the address is one") {
    Line line("cloud serve --listen 127.0.0.11");
    line.run();
    CHECK(line.served.value().host_names == std::vector<std::string>{"127.0.0.11"});
}

TEST_CASE("a verb with no cloud to talk to ends with status 1") {
    CHECK(Line("cloud device list --data /nonexistent").run() == 1);
    CHECK(Line("cloud method invoke d m reboot {} --data /nonexistent").run() == 1);
    CHECK(Line("cloud twin update d {\"a\":1} --data /nonexistent").run() == 1);
    CHECK(Line("cloud device update d --status Disabled --data /nonexistent").run() == 1);
    CHECK(Line("cloud device create d --auth-method x509_ca --data /nonexistent").run() == 1);
    CHECK(Line("cloud message send d hello -p colour=red --ack full --expires 60 --data /nonexistent").run() == 1);
}

TEST_CASE("arguments that are missing or unknown are refused") {
    CHECK_THROWS_AS(Line("cloud"), CLI::RequiredError);
    CHECK_THROWS_AS(Line("cloud device create"), CLI::RequiredError);
    CHECK_THROWS_AS(Line("cloud method invoke d"), CLI::ParseError);
    CHECK_THROWS_AS(Line("cloud nonsense"), CLI::ParseError);
    CHECK_THROWS_AS(Line("cloud device create d --auth-method password"), CLI::ValidationError);
    CHECK_THROWS_AS(Line("cloud message send d hello --ack maybe"), CLI::ValidationError);
    CHECK_THROWS_AS(Line("cloud message send d hello --expires 0"), CLI::ValidationError);
    CHECK_THROWS_AS(Line("cloud message send d"), CLI::RequiredError);
    CHECK_THROWS_AS(Line("cloud device update d --status off"), CLI::ValidationError);
    CHECK_THROWS_AS(Line("cloud serve --device-ca /nonexistent"), CLI::ValidationError);
}
