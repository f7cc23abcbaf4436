#include "cli/cloud_commands.hpp"

#include "cli/cloud_commands/verbs.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

namespace skerry::cli {

namespace {
std::filesystem::path default_data() {
    if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0')
        return std::filesystem::path(state) / "skerry" / "cloud";
    const char* home = std::getenv("HOME");
    return std::filesystem::path(home == nullptr ? "." : home) / ".local" / "state" / "skerry" / "cloud";
}

void start(Invocation& invocation, RunVerb run, const CloudVerb& verb) {
    invocation.action = [run, verb](Platform platform, Event& stop) { return run_verb(run, verb, platform, stop); };
}

// A command that runs `run` on a verb filled by its options. Its callback, which the app keeps, shares the verb.
struct Made {
    CLI::App* command;
    std::shared_ptr<CloudVerb> verb;
};
Made add(CLI::App& parent, Invocation& invocation, const std::string& name, const std::string& what, RunVerb run) {
    auto verb = std::make_shared<CloudVerb>();
    verb->data = default_data();
    auto* command = parent.add_subcommand(name, what);
    command->add_option("--data", verb->data, "the cloud's folder")->capture_default_str();
    command->callback([&invocation, verb, run] { start(invocation, run, *verb); });
    return {command, verb};
}

CLI::App& add_group(CLI::App& cloud, const std::string& name, const std::string& what) {
    auto* made = cloud.add_subcommand(name, what);
    made->require_subcommand(1);
    return *made;
}

void add_serve(CLI::App& cloud, Invocation& invocation, ServeCloud serve) {
    auto arguments = std::make_shared<CloudServeArguments>();
    arguments->data = default_data();
    arguments->listen = "127.0.0.1";
    auto* command = cloud.add_subcommand("serve", "run a cloud: MQTT on 8883, HTTPS on 443");
    command->add_option("--data", arguments->data, "folder for its state")->capture_default_str();
    command->add_option("--listen", arguments->listen, "address to listen on")->capture_default_str();
    command->add_option("--hostname", arguments->host_names, "its names, the hub's own first (default: the address)");
    command->add_option("--mqtt-port", arguments->mqtt_port, "0 takes a free one")->capture_default_str();
    command->add_option("--https-port", arguments->https_port, "0 takes a free one")->capture_default_str();
    command
        ->add_option("--device-ca", arguments->device_authorities,
                     "PEM file of the authorities whose certificates devices may show")
        ->check(CLI::ExistingFile);
    command->add_option("--events-bytes", arguments->events_bytes, "how much of the event log to keep")
        ->check(CLI::Range(std::uint64_t{1} << 20, std::uint64_t{1} << 50))
        ->capture_default_str();
    command->add_option("--events-days", arguments->events_days, "how long to keep events")
        ->check(CLI::Range(1, 3650))
        ->capture_default_str();
    command->callback([arguments, &invocation, serve = std::move(serve)] {
        if (arguments->host_names.empty()) arguments->host_names.push_back(arguments->listen);
        invocation.action = [serve, given = *arguments](Platform platform, Event& stop) {
            return serve(given, platform, stop);
        };
    });
}

// The words of `az iot hub device-identity`.
void add_authentication(CLI::App& command, CloudVerb& verb) {
    command
        .add_option(
            "--auth-method,--am", verb.authentication,
            "how it proves who it is: with keys, a certificate whose thumbprint is known, or one of an authority")
        ->check(CLI::IsMember({"shared_private_key", "x509_thumbprint", "x509_ca"}));
    command.add_option("--primary-thumbprint,--ptp", verb.primary_thumbprint,
                       "of its certificate: SHA-1 or SHA-256 in hex (x509_thumbprint)");
    command.add_option("--secondary-thumbprint,--stp", verb.secondary_thumbprint, "of its next certificate");
}

void add_devices(CLI::App& cloud, Invocation& invocation) {
    auto& group = add_group(cloud, "device", "devices: create, list, show, update, delete, connection-string");
    auto create = add(group, invocation, "create", "create a device", create_device);
    create.command->add_option("ID", create.verb->device)->required();
    create.command->add_flag("--edge-enabled,--edge", create.verb->edge, "an IoT Edge device");
    create.command->add_option("--parent", create.verb->parent, "the edge device above it");
    add_authentication(*create.command, *create.verb);
    create.command->add_flag("--json", create.verb->json, "print the device as JSON");
    auto list = add(group, invocation, "list", "list the devices", list_devices);
    list.command->add_flag("--json", list.verb->json, "print JSON");
    auto show = add(group, invocation, "show", "show a device as JSON, with its keys", show_identity);
    show.command->add_option("ID", show.verb->device)->required();
    auto update =
        add(group, invocation, "update", "enable or disable a device, or change how it authenticates", update_device);
    update.command->add_option("ID", update.verb->device)->required();
    update.command->add_option("--status", update.verb->status)
        ->check(CLI::IsMember({"enabled", "disabled"}, CLI::ignore_case));
    add_authentication(*update.command, *update.verb);
    auto remove = add(group, invocation, "delete", "delete a device with its modules", delete_identity);
    remove.command->add_option("ID", remove.verb->device)->required();
    auto text =
        add(group, invocation, "connection-string", "print a device's connection string", show_connection_string);
    text.command->add_option("ID", text.verb->device)->required();
    text.command->add_option("--module", text.verb->module, "of this module of it");
}

void add_modules(CLI::App& cloud, Invocation& invocation) {
    auto& group = add_group(cloud, "module", "modules of a device: create, list, show, delete");
    struct Verb {
        const char* name;
        const char* what;
        RunVerb run;
    };
    for (const auto& [name, what, run] : {Verb{"create", "create a module", create_module},
                                          Verb{"show", "show a module as JSON, with its keys", show_identity},
                                          Verb{"delete", "delete a module", delete_identity}}) {
        auto made = add(group, invocation, name, what, run);
        made.command->add_option("DEVICE", made.verb->device)->required();
        made.command->add_option("MODULE", made.verb->module)->required();
        made.command->add_flag("--json", made.verb->json, "print JSON");
    }
    auto list = add(group, invocation, "list", "list the modules of a device", list_modules);
    list.command->add_option("DEVICE", list.verb->device)->required();
    list.command->add_flag("--json", list.verb->json, "print JSON");
}

void add_twins(CLI::App& cloud, Invocation& invocation) {
    auto& group = add_group(cloud, "twin", "twins: show, update");
    auto show = add(group, invocation, "show", "show a twin as JSON", show_twin);
    show.command->add_option("DEVICE", show.verb->device)->required();
    show.command->add_option("MODULE", show.verb->module);

    auto update = add(group, invocation, "update", "patch a twin: tags, or desired properties", update_twin);
    auto words = std::make_shared<std::vector<std::string>>();
    update.command->add_option("DEVICE [MODULE] JSON|FILE", *words)->required()->expected(2, 3);
    update.command->add_flag("--json", update.verb->json, "print the new twin");
    update.command->callback([&invocation, verb = update.verb, words] {
        verb->device = words->front();
        if (words->size() == 3) verb->module = (*words)[1];
        verb->document = words->back();
        start(invocation, update_twin, *verb);
    });
}

bool is_json(const std::string& text) {
    boost::json::error_code error;
    boost::json::parse(text, error);
    return !error;
}

// DEVICE NAME | DEVICE NAME PAYLOAD | DEVICE MODULE NAME | DEVICE MODULE NAME PAYLOAD: three words are told apart by
// whether the last one is JSON.
void fill_method(CloudVerb& verb, const std::vector<std::string>& words) {
    verb.device = words[0];
    const bool has_payload = words.size() == 4 || (words.size() == 3 && is_json(words[2]));
    if (has_payload) verb.payload = words.back();
    const auto names = words.size() - (has_payload ? 2 : 1);
    if (names == 2) verb.module = words[1];
    verb.method = words[names];
}

void add_methods(CLI::App& cloud, Invocation& invocation) {
    auto& group = add_group(cloud, "method", "direct methods: invoke");
    auto invoke = add(group, invocation, "invoke", "call a method of a connected device or module", invoke_method);
    auto words = std::make_shared<std::vector<std::string>>();
    invoke.command->add_option("DEVICE [MODULE] NAME [PAYLOAD]", *words)->required()->expected(2, 4);
    invoke.command
        ->add_option("--timeout", invoke.verb->timeout_seconds, "seconds to wait for it to connect, and to answer")
        ->check(CLI::Range(5, 300))
        ->capture_default_str();
    invoke.command->add_flag("--json", invoke.verb->json, "print the answer as JSON");
    invoke.command->callback([&invocation, verb = invoke.verb, words] {
        fill_method(*verb, *words);
        start(invocation, invoke_method, *verb);
    });
}

void add_messages(CLI::App& cloud, Invocation& invocation) {
    auto& group = add_group(cloud, "message", "messages to devices: send");
    auto send =
        add(group, invocation, "send", "send a message to a device, which gets it when it connects", send_message);
    send.command->add_option("DEVICE", send.verb->device)->required();
    send.command->add_option("BODY", send.verb->payload)->required();
    send.command->add_option("--property,-p", send.verb->properties, "NAME=VALUE; may be given more than once");
    send.command->add_option("--id", send.verb->message_id, "its message id (default: a new one, which is printed)");
    send.command->add_option("--ack", send.verb->acknowledgement, "of what the sender wants to hear in its feedback")
        ->check(CLI::IsMember({"none", "positive", "negative", "full"}))
        ->capture_default_str();
    const auto seconds = std::make_shared<std::int64_t>(0);
    send.command->add_option("--expires", *seconds, "seconds until it is of no use any more")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{48 * 3600}));
    send.command->add_flag("--json", send.verb->json, "print JSON");
    send.command->callback([&invocation, verb = send.verb, seconds] {
        verb->expires_after = std::chrono::seconds(*seconds);
        start(invocation, send_message, *verb);
    });
}

void add_others(CLI::App& cloud, Invocation& invocation) {
    add(cloud, invocation, "info", "names and connection strings, as JSON", show_info);

    auto roll_out = add(cloud, invocation, "deploy", "set the modules of an edge device", deploy);
    roll_out.command->add_option("FILE", roll_out.verb->document, "a deployment manifest")->required();
    roll_out.command->add_option("--device,-d", roll_out.verb->device)->required();

    auto events = add(cloud, invocation, "events", "print the messages that devices sent", show_events);
    events.command->add_flag("--follow,-f", events.verb->follow, "go on with new ones");
    events.command->add_flag("--json", events.verb->json, "one JSON object per line");
    events.command->add_option("--device,-d", events.verb->device, "of this device only");
    events.command->add_flag("--from-start", events.verb->from_start,
                             "with --follow: the stored ones first (without it they are printed anyway)");
}
}  // namespace

void add_cloud_commands(CLI::App& app, Invocation& invocation, ServeCloud serve) {
    auto* cloud = app.add_subcommand("cloud", "a small IoT Hub on this machine");
    cloud->require_subcommand(1);
    add_serve(*cloud, invocation, std::move(serve));
    add_devices(*cloud, invocation);
    add_modules(*cloud, invocation);
    add_twins(*cloud, invocation);
    add_methods(*cloud, invocation);
    add_messages(*cloud, invocation);
    add_others(*cloud, invocation);
}

}  // namespace skerry::cli
