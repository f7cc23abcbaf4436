#include "agent/metrics/metrics.hpp"

#include "agent/plan.hpp"

#include <array>
#include <chrono>
#include <utility>

namespace skerry::agent {

using metrics::Exposition;
using metrics::label_text;
using metrics::Labels;

namespace {

constexpr Duration kept_after_leaving = std::chrono::minutes(10);
constexpr std::string_view machine = "host";

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

std::string labelled(Labels labels, bool telemetry) {
    auto text = label_text(labels);
    text += text.empty() ? "" : ",";
    return text + (telemetry ? R"(ms_telemetry="True")" : R"(ms_telemetry="False")");
}

bool is_runtime(std::string_view module) { return module == agent_name || module == hub_name || module == machine; }

std::string of_module(std::string_view module) { return labelled({{"module_name", module}}, is_runtime(module)); }

void gauge(Exposition& out, std::string_view name, std::string_view help, const std::optional<double>& value) {
    if (!value) return;
    out.family(name, "gauge", help);
    out.sample(labelled({}, true), *value);
}

template <class Counters>
void count_family(Exposition& out, std::string_view name, std::string_view help, const Counters& counters) {
    out.family(name, "counter", help);
    for (const auto& [key, count] : counters.all())
        out.sample(labelled({{"module_name", key[0]}, {"module_version", key[1]}}, true), count);
}

}  // namespace

Metrics::Metrics(Clock& clock, std::string common_labels, Duration age)
    : clock_(clock), common_labels_(std::move(common_labels)), turn_every_(age / 2), turned_(clock.steady()) {}

void Metrics::command(std::string_view kind, Duration took) { commands_[{kind}].observe(seconds_of(took)); }

void Metrics::synced(bool done) {
    ++syncs_;
    if (!done) ++failed_syncs_;
}

void Metrics::deployed(Duration took) { deployments_.observe(seconds_of(took)); }

void Metrics::describe(std::string agent_version, std::string host) {
    version_ = std::move(agent_version);
    host_ = std::move(host);
}

// Docker's counters go on from the container's start: only what lies between two looks says how busy it is now.
void Metrics::measure_cpu(const ModuleUse& use) {
    if (!use.cpu || !use.system_cpu) return;
    const auto [last, first] = last_cpu_.try_emplace(use.name, CpuUse{*use.cpu, *use.system_cpu});
    if (first) return;
    const auto before = std::exchange(last->second, CpuUse{*use.cpu, *use.system_cpu});
    const auto passed = *use.system_cpu - before.machine;
    if (passed <= 0) return;
    const auto percent = 100 * (*use.cpu - before.module) / passed;
    if (percent >= 0 && percent < 100) cpu_[{use.name}].observe(percent);
}

void Metrics::measured(Resources resources) {
    for (const auto& use : resources.modules) measure_cpu(use);
    if (resources.used_cpu && *resources.used_cpu > 0) cpu_[{machine}].observe(*resources.used_cpu);
    resources_ = std::move(resources);
}

void Metrics::keep(const std::set<std::string>& modules) {
    const auto now = clock_.steady();
    const auto gone = [&](const auto& key) {
        if (modules.contains(key[0])) return false;
        const auto since = left_.try_emplace(key[0], now).first->second;
        return now - since >= kept_after_leaving;
    };
    for (auto* counters : {&started_, &stopped_, &prepared_}) counters->remove_if(gone);
    std::erase_if(left_, [&](const auto& entry) {
        return modules.contains(entry.first) || now - entry.second >= kept_after_leaving;
    });
    cpu_.remove_if([&](const auto& key) { return key[0] != machine && !modules.contains(key[0]); });
    std::erase_if(last_cpu_, [&](const auto& entry) { return !modules.contains(entry.first); });
    std::erase_if(resources_.modules, [&](const ModuleUse& use) { return !modules.contains(use.name); });
}

void Metrics::tick() {
    while (clock_.steady() - turned_ >= turn_every_) {
        turned_ += turn_every_;
        turn();
    }
}

void Metrics::turn() {
    for (auto* series : {&commands_, &cpu_})
        for (auto& [key, summary] : series->all()) summary.turn();
    deployments_.turn();
}

std::string Metrics::text(const Availability& availability,
                          const std::optional<metrics::ProcessStatus>& process) const {
    Exposition out(common_labels_);
    write_availability(out, availability);
    write_commands(out);
    write_host(out);
    write_modules(out);
    out.family("edgeAgent_metadata", "gauge", "What runs here; the value says nothing");
    out.sample(labelled({{"edge_agent_version", version_},
                         {"experimental_features", R"({"Enabled":false,"DisableCloudSubscriptions":false})"},
                         {"host_information", host_}},
                        true),
               std::uint64_t{0});
    if (process) metrics::write_process(out, *process);
    // The existing agent's has none of the common labels.
    Exposition bare("");
    bare.family("edgeagent_direct_method_invocations_count", "counter", "Calls of the agent's direct methods");
    for (const auto& [key, count] : calls_.all()) bare.sample(label_text({{"method_name", key[0]}}), count);
    return out.take() + bare.take();
}

void Metrics::write_availability(Exposition& out, const Availability& availability) const {
    out.family("edgeAgent_total_time_expected_running_seconds", "gauge", "For how long the module was to run");
    for (const auto& [module, times] : availability.all()) out.sample(of_module(module), seconds_of(times.expected));
    out.family("edgeAgent_total_time_running_correctly_seconds", "gauge", "For how long the module was to run and ran");
    for (const auto& [module, times] : availability.all()) out.sample(of_module(module), seconds_of(times.running));
}

void Metrics::write_commands(Exposition& out) const {
    count_family(out, "edgeAgent_module_start_total", "How often the daemon was asked to start the module", started_);
    count_family(out, "edgeAgent_module_stop_total", "How often the daemon was asked to stop the module", stopped_);
    count_family(out, "edgeAgent_module_prepare_update_total", "How often the daemon was asked for the module's image",
                 prepared_);
    out.family("edgeAgent_command_latency_seconds", "summary", "How long commands took");
    for (const auto& [key, summary] : commands_.all()) out.sample(labelled({{"command", key[0]}}, true), summary);
    out.family("edgeAgent_iothub_syncs_total", "counter", "How often the twin was to be read");
    out.sample(labelled({}, true), syncs_);
    out.family("edgeAgent_unsuccessful_iothub_syncs_total", "counter", "How often the twin could not be read");
    out.sample(labelled({}, true), failed_syncs_);
    out.family("edgeAgent_deployment_time_seconds", "summary", "From a new deployment to all of it done");
    if (deployments_.count() > 0) out.sample(labelled({}, true), deployments_);
}

void Metrics::write_host(Exposition& out) const {
    gauge(out, "edgeAgent_host_uptime_seconds", "For how long the machine has been up", resources_.host_uptime);
    gauge(out, "edgeAgent_iotedged_uptime_seconds", "For how long the daemon has been up", resources_.daemon_uptime);
    const auto disks = [&](std::string_view name, std::string_view help, std::optional<double> DiskUse::* value) {
        out.family(name, "gauge", help);
        for (const auto& disk : resources_.disks)
            if (disk.*value)
                out.sample(labelled({{"disk_name", disk.name},
                                     {"disk_filesystem", disk.file_system},
                                     {"disk_filetype", disk.file_type}},
                                    true),
                           *(disk.*value));
    };
    disks("edgeAgent_available_disk_space_bytes", "Free space of the disk", &DiskUse::available);
    disks("edgeAgent_total_disk_space_bytes", "Size of the disk", &DiskUse::total);
}

void Metrics::write_modules(Exposition& out) const {
    const auto modules = [&](std::string_view name, std::string_view help, std::optional<double> ModuleUse::* value,
                             const std::optional<double>& of_machine, bool telemetry) {
        out.family(name, "gauge", help);
        if (of_machine) out.sample(of_module(machine), *of_machine);
        for (const auto& use : resources_.modules)
            if (use.*value)
                out.sample(telemetry ? of_module(use.name) : labelled({{"module_name", use.name}}, false),
                           *(use.*value));
    };
    modules("edgeAgent_used_memory_bytes", "Memory in use", &ModuleUse::memory, resources_.used_memory, true);
    modules("edgeAgent_total_memory_bytes", "Memory that may be used", &ModuleUse::memory_limit,
            resources_.total_memory, true);
    out.family("edgeAgent_used_cpu_percent", "summary", "Processor time in use");
    for (const auto& [key, summary] : cpu_.all()) out.sample(of_module(key[0]), summary);
    modules("edgeAgent_created_pids_total", "Processes and threads of the module", &ModuleUse::processes, {}, false);
    modules("edgeAgent_total_network_in_bytes", "Received by the module", &ModuleUse::network_in, {}, false);
    modules("edgeAgent_total_network_out_bytes", "Sent by the module", &ModuleUse::network_out, {}, false);
    modules("edgeAgent_total_disk_read_bytes", "Read from disks by the module", &ModuleUse::disk_read, {}, false);
    modules("edgeAgent_total_disk_write_bytes", "Written to disks by the module", &ModuleUse::disk_write, {}, false);
}

}  // namespace skerry::agent
