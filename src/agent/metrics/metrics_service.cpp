#include "agent/metrics/metrics_service.hpp"

#include "base/log.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <utility>

namespace skerry::agent {

namespace json = boost::json;

namespace {

using namespace std::chrono_literals;

constexpr Duration before_first = 1min;
constexpr std::size_t most_scrapers = 16;

std::string common_labels(const DeviceFacts& facts, Random& random) {
    return metrics::label_text(
        {{"iothub", facts.hub_host}, {"edge_device", facts.device_id}, {"instance_number", random.uuid()}});
}

// Daemon's name and the existing agent's, of what tells one kind of machine from another.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> host_members{
    {{"osType", "OperatingSystemType"},
     {"architecture", "Architecture"},
     {"version", "Version"},
     {"server_version", "ServerVersion"},
     {"kernel_version", "KernelVersion"},
     {"operating_system", "OperatingSystem"},
     {"cpus", "NumCpus"},
     {"virtualized", "Virtualized"}}};

}  // namespace

MetricsService::MetricsService(Parts parts)
    : parts_(std::move(parts)),
      metrics_(parts_.platform.clock, common_labels(parts_.facts, parts_.platform.random), parts_.settings.metrics.age),
      availability_(parts_.platform.files, parts_.platform.clock, parts_.settings.storage / "availability"),
      process_(parts_.platform.files),
      listener_(parts_.platform.network, parts_.platform.clock, parts_.platform.executor,
                [this](codec::HttpRequest request, const net::Peer&) { return answer(std::move(request)); }) {}

void MetricsService::looked(const Deployment& deployment, const std::vector<model::ModuleStatus>& observed) {
    std::vector<Availability::Point> points{{.module = std::string(agent_name), .expected = true, .runs = true}};
    std::set<std::string> names{std::string(agent_name), std::string(hub_name)};
    for (const auto& module : deployment.modules) {
        names.insert(module.name);
        if (module.name == agent_name) continue;
        const auto there = std::ranges::find(observed, module.name, &model::ModuleStatus::name);
        const bool runs = there != observed.end() && there->state == model::RuntimeState::running;
        points.push_back({.module = module.name, .expected = module.running, .runs = runs});
    }
    availability_.saw(points);
    metrics_.keep(names);
    metrics_.tick();
}

void MetricsService::describe(const json::object& system_info) {
    if (std::exchange(described_, !system_info.empty()) || system_info.empty()) return;
    json::object host;
    for (const auto& [theirs, ours] : host_members)
        if (const auto* value = system_info.if_contains(theirs)) host[ours] = *value;
    auto version = parts_.version;
    const auto* of_daemon = system_info.if_contains("version");
    if (version.empty() && of_daemon != nullptr && of_daemon->is_string()) version = of_daemon->get_string();
    metrics_.describe(std::move(version), json::serialize(host));
}

std::string MetricsService::page() const { return metrics_.text(availability_, process_.status()); }

Task<codec::HttpResponse> MetricsService::answer(codec::HttpRequest request) {
    codec::HttpResponse response;
    response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    const auto path = "/" + parts_.settings.metrics.suffix;
    if (request.raw_path() != path) {
        response.status = 404;
        response.body = "the metrics are at " + path;
    } else if (request.method != "GET" && request.method != "HEAD") {
        response.status = 405;
    } else {
        response.body = page();
    }
    co_return response;
}

void MetricsService::listen() {
    const auto& place = parts_.settings.metrics;
    if (place.enabled) listener_.start({"metrics", place.address, place.port, nullptr, most_scrapers});
}

Task<> MetricsService::keep_measuring() {
    if (!parts_.settings.metrics.enabled && !parts_.settings.telemetry.enabled) co_return;
    co_await parts_.platform.clock.sleep(std::min<Duration>(before_first, parts_.settings.metrics.measure_every));
    for (;;) {
        const auto answer = co_await parts_.runtime.resources();
        auto resources = answer ? parse_resources(*answer) : Result<Resources>(fail(answer.error()));
        if (resources)
            metrics_.measured(std::move(*resources));
        else
            log::debug("The daemon does not tell what its machine uses: {}", resources.error().text);
        co_await parts_.platform.clock.sleep(parts_.settings.metrics.measure_every);
    }
}

Task<> MetricsService::close() {
    availability_.ended();
    co_await listener_.close();
}

}  // namespace skerry::agent
