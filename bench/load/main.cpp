// skerry-load: loads an MQTT server and checks what comes back. One JSON object on standard output per run.
#include "load/crowd.hpp"
#include "load/flow.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <exception>

namespace skerry::load {
namespace {

void tell(const std::string& text) { fmt::print(stderr, "skerry-load: {}\n", text); }

std::string latency_json(const Histogram& latency) {
    const auto us = [](std::int64_t value) { return static_cast<double>(value) / 1000; };
    return fmt::format(R"({{"count":{},"p50":{:.1f},"p99":{:.1f},"p999":{:.1f},"max":{:.1f}}})", latency.count(),
                       us(latency.at(0.5)), us(latency.at(0.99)), us(latency.at(0.999)), us(latency.max()));
}

double own_cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::string quoted(const std::string& text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return out + '"';
}

int report(const Options& options, const FlowResult& result) {
    const auto per_second = [&](std::uint64_t count) { return static_cast<double>(count) / result.seconds; };
    const auto cpu = own_cpu_seconds();
    const auto moved = static_cast<double>(std::max<std::uint64_t>(1, std::max(result.sent, result.received)));
    fmt::print(
        R"({{"mode":"flow","publishers":{},"subscribers":{},"qos":{},"size":{},"tls":{},"rate":{},"window":{},)"
        R"("ended":"{}","error":{},"sent":{},"acked":{},"received":{},"lost":{},"duplicates":{},"outOfOrder":{},)"
        R"("seconds":{:.3f},"ackedPerSecond":{:.1f},"receivedPerSecond":{:.1f},"ackLatencyUs":{},)"
        R"("deliveryLatencyUs":{},"ownCpuSeconds":{:.3f},"ownCpuSecondsPerMillion":{:.2f}}})"
        "\n",
        options.publishers, options.subscribers, options.qos, options.size, options.tls, options.rate, options.window,
        result.ended, quoted(result.error), result.sent, result.acked, result.received, result.lost, result.duplicates,
        result.out_of_order, result.seconds, per_second(result.measured_acked), per_second(result.measured_received),
        latency_json(result.ack_latency), latency_json(result.delivery_latency), cpu, cpu / moved * 1e6);
    tell(
        fmt::format("{} sent, {} acked, {} received, {} lost, {} duplicates, {} out of order; {:.0f} acks/s, {:.0f} "
                    "deliveries/s",
                    result.sent, result.acked, result.received, result.lost, result.duplicates, result.out_of_order,
                    per_second(result.measured_acked), per_second(result.measured_received)));
    if (!result.error.empty()) tell(result.error);
    return result.ended == "failed" ? 1 : 0;
}

int report(const Options& options, const CrowdResult& result) {
    fmt::print(
        R"({{"mode":"{}","tls":{},"admitted":{},"failed":{},"error":{},"seconds":{:.3f},"admittedPerSecond":{:.1f},)"
        R"("latencyUs":{},"ownCpuSeconds":{:.3f}}})"
        "\n",
        options.mode == Mode::idle ? "idle" : "connect", options.tls, result.admitted, result.failed,
        quoted(result.error), result.seconds, static_cast<double>(result.admitted) / result.seconds,
        latency_json(result.latency), own_cpu_seconds());
    if (!result.error.empty()) tell(result.error);
    return result.admitted == 0 ? 1 : 0;
}

void declare(CLI::App& app, Options& options) {
    app.description(
        "Loads an MQTT 3.1.1 server: publishers, subscribers, connections. Prints one JSON object to standard output.\n"
        "Latencies are in microseconds and count from the time a message was meant to be sent (--rate).\n"
        "Without subscribers it fills a backlog, without publishers it drains one (--expect).");
    app.add_option("--mode", options.mode, "flow (messages), connect (new connections a second), idle (open and hold)")
        ->transform(CLI::CheckedTransformer(
            std::map<std::string, Mode>{{"flow", Mode::flow}, {"connect", Mode::connect}, {"idle", Mode::idle}}));
    app.add_option("--host", options.host, "numeric address")->capture_default_str();
    app.add_option("--port", options.port)->capture_default_str();
    app.add_flag("--tls", options.tls, "the server's certificate is not verified");
    app.add_flag("--persistent", options.persistent, "sessions that outlive their connection (clean session 0)");
    app.add_option("--accounts", options.accounts_file,
                   "file with a line a client (publishers first): client id, user name, password, separated by tabs");
    app.add_option("--publishers", options.publishers)->check(CLI::Range(0, 10'000))->capture_default_str();
    app.add_option("--subscribers", options.subscribers)->check(CLI::Range(0, 10'000))->capture_default_str();
    app.add_option("--topic", options.topic, "of a publisher: {n} is its number, {id} its client id")
        ->capture_default_str();
    app.add_option("--filter", options.filter, "of a subscriber: {n} and {id} as above")->capture_default_str();
    app.add_option("--qos", options.qos)->check(CLI::Range(0, 1))->capture_default_str();
    app.add_option("--size", options.size, "bytes of a payload (24 at least)")
        ->check(CLI::Range(24, 64 * 1024 * 1024))
        ->capture_default_str();
    app.add_option("--rate", options.rate, "open loop: messages a second of all publishers together")
        ->check(CLI::Range(0.0, 1e7));
    app.add_option("--window", options.window, "messages without acknowledgement per publisher")
        ->check(CLI::Range(1, 65'535))
        ->capture_default_str();
    app.add_option("--count", options.count, "stop after as many messages, of all publishers together");
    app.add_option("--expect", options.expect, "without publishers: stop after as many messages received");
    app.add_option("--handle", options.handle, "milliseconds from a message to its acknowledgement by a subscriber")
        ->check(CLI::Range(0.0, 60'000.0));
    app.add_option("--warmup", options.warmup, "seconds that are not measured")->check(CLI::Range(0.0, 600.0));
    app.add_option("--seconds", options.seconds, "measured time at most, or how long to hold connections")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    app.add_option("--quiet", options.quiet, "give up when nothing came for as many seconds")
        ->check(CLI::Range(0.1, 600.0))
        ->capture_default_str();
    app.add_option("--connections", options.connections, "of --mode idle")
        ->check(CLI::Range(1, 60'000))
        ->capture_default_str();
    app.add_option("--at-once", options.at_once, "connections on their way at the same time")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
}

int run(int count, char** arguments) {
    CLI::App app;
    Options options;
    declare(app, options);
    try {
        app.parse(count, arguments);
    } catch (const CLI::ParseError& error) { return app.exit(error); }
    if (options.mode == Mode::flow && options.publishers + options.subscribers == 0)
        throw std::runtime_error("neither publishers nor subscribers: nothing to do");
    read_accounts(options);
    const auto tls = options.tls ? make_tls_context() : TlsContext();
    const Target target{parse_address(options.host, options.port), tls.get(), !options.persistent};
    switch (options.mode) {
        case Mode::connect: return report(options, connect_and_leave(options, target));
        case Mode::idle: return report(options, connect_and_stay(options, target, tell));
        case Mode::flow: break;
    }
    return report(options, Flow(options, target).run(tell));
}

}  // namespace
}  // namespace skerry::load

int main(int count, char** arguments) {
    std::signal(SIGPIPE, SIG_IGN);
    ::prctl(PR_SET_TIMERSLACK, 1000UL);  // nanoseconds: an open loop sends when it is time
    try {
        return skerry::load::run(count, arguments);
    } catch (const std::exception& error) {
        fmt::print(stderr, "skerry-load: {}\n", error.what());
        return 2;
    }
}
