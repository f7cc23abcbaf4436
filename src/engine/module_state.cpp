#include "engine/module_state.hpp"

#include "base/log.hpp"
#include "engine/create_options.hpp"
#include "model/identity.hpp"
#include "model/twin.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <cstring>

namespace skerry::engine {

namespace json = boost::json;

Result<std::string> folder_of(std::string_view module_name) {
    // Ids have no '/', and with the prefix no name is "." or "..".
    if (!model::is_valid_id(module_name))
        return fail(Errc::malformed, "module name '" + std::string(module_name.substr(0, 128)) +
                                         "': must have 1 to 128 of the characters that IoT Hub allows in ids");
    return "m-" + std::string(module_name);
}

Result<> save_spec(storage::Files& files, const std::filesystem::path& folder, const model::ModuleSpec& spec) {
    json::object environment;
    for (const auto& [name, value] : spec.env) environment[name] = value;
    const json::object document{
        {"name", spec.name},
        {"type", spec.type},
        {"image", spec.image},
        {"createOptions", spec.create_options},
        {"env", std::move(environment)},
        {"imagePullPolicy", spec.pull_policy == model::PullPolicy::never ? "never" : "on-create"},
    };
    return storage::replace_file(files, folder / "spec.json", json::serialize(document));
}

Result<model::ModuleSpec> load_spec(storage::Files& files, const std::filesystem::path& folder) {
    const auto text = storage::read_file(files, folder / "spec.json", 4 * 1024 * 1024);
    if (!text) return std::unexpected(text.error());
    const auto document = model::parse_object(*text);
    if (!document) return fail(document.error().while_doing((folder / "spec.json").native()));
    const auto text_of = [&](std::string_view name) {
        const auto* const found = document->if_contains(name);
        return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
    };
    model::ModuleSpec spec;
    spec.name = text_of("name");
    spec.type = text_of("type");
    spec.image = text_of("image");
    if (text_of("imagePullPolicy") == "never") spec.pull_policy = model::PullPolicy::never;
    if (const auto* const options = document->if_contains("createOptions"); options != nullptr && options->is_object())
        spec.create_options = options->get_object();
    if (const auto* const environment = document->if_contains("env");
        environment != nullptr && environment->is_object())
        for (const auto& [name, value] : environment->get_object())
            if (value.is_string()) spec.env[name] = std::string(value.get_string());
    const auto expected = folder_of(spec.name);
    if (!expected || *expected != folder.filename().native())
        return fail(Errc::malformed, (folder / "spec.json").native() + ": it is not that module's");
    return spec;
}

std::optional<RunRecord> load_run(storage::Files& files, const std::filesystem::path& folder) {
    const auto text = storage::read_file(files, folder / "run", 1024 * 1024);
    if (!text && text.error().code == Errc::not_found) return std::nullopt;
    auto record = text ? parse_run_record(*text) : std::unexpected(text.error());
    if (record) return std::move(*record);
    log::error("{}: {}; the module counts as never started", (folder / "run").native(), record.error().text);
    return std::nullopt;
}

namespace {
WallTime wall_time(std::int64_t ns) {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::nanoseconds(ns)));
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
    std::string out;
    for (const auto& part : parts) {
        if (!out.empty()) out += separator;
        out += part;
    }
    return out;
}

std::string how_it_ended(const RunRecord& run) {
    if (!run.error.empty()) return "could not be run: " + run.error;
    if (run.signal != 0) return "killed by signal " + std::to_string(run.signal) + " (" + ::strsignal(run.signal) + ')';
    return "exited with code " + std::to_string(run.exit_code.value_or(0));
}
}  // namespace

model::ModuleStatus status_of(const model::ModuleSpec& spec, const std::optional<RunRecord>& run, Alive alive,
                              std::string_view boot_id) {
    model::ModuleStatus status;
    status.name = spec.name;
    status.type = spec.type;
    status.image = spec.image;
    status.create_options = spec.create_options;
    std::vector<std::string> texts;
    if (!run) {
        status.state = model::RuntimeState::stopped;
        texts.emplace_back("created, not started");
    } else {
        status.started = wall_time(run->started_ns);
        if (alive != Alive::no) {
            status.state = model::RuntimeState::running;
            if (alive == Alive::orphan)
                texts.emplace_back("its shim was killed: its output and exit code will be lost");
        } else if (run->exited_ns != 0) {
            status.exited = wall_time(run->exited_ns);
            status.exit_code = run->exit_code;
            status.state = run->exit_code == 0 ? model::RuntimeState::stopped : model::RuntimeState::failed;
            texts.push_back(how_it_ended(*run));
        } else {
            status.state = model::RuntimeState::failed;
            texts.emplace_back(run->boot_id == boot_id
                                   ? "ended while nobody watched: its exit code is unknown"
                                   : "the machine went down while it ran: its exit code is unknown");
        }
    }
    if (const auto options = parse_create_options(spec.create_options); options && !options->ignored.empty())
        texts.push_back("ignored createOptions: " + join(options->ignored, ", "));
    if (run) texts.insert(texts.end(), run->notes.begin(), run->notes.end());
    status.description = join(texts, "; ");
    return status;
}

}  // namespace skerry::engine
