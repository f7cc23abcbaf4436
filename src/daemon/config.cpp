#include "daemon/config.hpp"

#include "base/encoding.hpp"
#include "daemon/duration_text.hpp"
#include "daemon/section.hpp"
#include "daemon/toml_document.hpp"
#include "iothub/sas.hpp"
#include "model/identity.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
constexpr std::string_view not_here = "is not in this build yet: {}";

// RFC 1035 labels, 64 characters in all (it becomes a certificate's common name), or an IP address.
bool is_host_name(std::string_view name) {
    if (name.empty() || name.size() > 64) return false;
    return std::ranges::all_of(name, [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
               c == ':';
    });
}

// "file:///path", or a plain absolute path.
std::optional<std::filesystem::path> file_of(const Section& section, std::string_view key) {
    const auto text = section.text(key);
    if (!text) return std::nullopt;
    if (text->starts_with("file:///")) return std::filesystem::path(text->substr(7));
    if (text->starts_with('/')) return std::filesystem::path(*text);
    section.complain(key, text->starts_with("pkcs11:") ? "PKCS#11 keys are not in this build yet: use file:///path"
                                                       : "must be file:///path");
    return std::nullopt;
}

void read_device_key(Config& config, const Section& authentication) {
    const auto key = authentication.section("device_id_pk");
    if (!key.exists())
        return authentication.complain("device_id_pk",
                                       "is missing: { value = \"base64\" } or { uri = \"file:///path\" }");
    const auto value = key.text("value");
    config.device_key_file = file_of(key, "uri");
    if (!value) {
        if (!config.device_key_file && !key.has("uri"))
            authentication.complain("device_id_pk", "needs a value or a uri");
        return;
    }
    const auto bytes = base64_decode(*value);
    if (!bytes || bytes->empty()) return key.complain("value", "must be a base64 text");
    config.device_key = *bytes;
}

void read_manual(Config& config, const Section& provisioning) {
    const auto connection = provisioning.text("connection_string");
    if (connection) {
        const auto parsed = iothub::parse_connection_string(*connection);
        if (!parsed) return provisioning.complain("connection_string", parsed.error().text);
        if (!parsed->module_id.empty() || parsed->device_id.empty() || parsed->key.empty())
            return provisioning.complain("connection_string",
                                         "must be a device's: HostName=…;DeviceId=…;SharedAccessKey=…");
        config.hub_host = parsed->host;
        config.device_id = parsed->device_id;
        config.device_key = parsed->key;
        if (config.parent_hostname.empty()) config.parent_hostname = parsed->gateway_host;
        return;
    }
    const auto hub = provisioning.text("iothub_hostname");
    const auto device = provisioning.text("device_id");
    const auto authentication = provisioning.section("authentication");
    if (!hub || !device || !authentication.exists())
        return provisioning.complain("connection_string",
                                     "is missing; or give iothub_hostname, device_id and authentication");
    if (!is_host_name(*hub)) provisioning.complain("iothub_hostname", "is no host name");
    if (!model::is_valid_id(*device)) provisioning.complain("device_id", "is no device id");
    config.hub_host = *hub;
    config.device_id = *device;
    const auto method = authentication.text("method").value_or("");
    if (method == "sas") return read_device_key(config, authentication);
    authentication.complain("method", method == "x509"
                                          ? fmt::format(not_here, "a device certificate; use method = \"sas\"")
                                          : std::string("must be \"sas\""));
}

void read_provisioning(Config& config, const Section& document) {
    const auto provisioning = document.section("provisioning");
    const auto source = provisioning.text("source").value_or("");
    if (source == "manual") return read_manual(config, provisioning);
    if (source == "dps")
        return provisioning.complain(
            "source", fmt::format(not_here, "provisioning through DPS (issue \"DPS\"); use source = \"manual\""));
    if (source == "none")
        return provisioning.complain(
            "source",
            fmt::format(not_here, "a device without a hub; use source = \"manual\" with a local cloud (skerry cloud)"));
    provisioning.complain("source", "must be \"manual\", with a connection_string");
}

void read_agent(Config& config, const Section& document) {
    const auto agent = document.section("agent");
    config.agent.name = agent.text("name").value_or("edgeAgent");
    if (config.agent.name != "edgeAgent") agent.complain("name", "must be \"edgeAgent\"");
    config.agent.type = agent.text("type").value_or("docker");
    const auto policy = to_lower(agent.text("imagePullPolicy").value_or("on-create"));
    if (policy == "never")
        config.agent.pull_policy = model::PullPolicy::never;
    else if (policy != "on-create")
        agent.complain("imagePullPolicy", "must be \"on-create\" or \"never\"");
    const auto settings = agent.section("config");
    config.agent.image = settings.text("image").value_or("");
    if (config.agent.image.empty())
        settings.complain("image", "is missing: the agent's image, e.g. \"skerry/agent:latest\"");
    config.agent.create_options = settings.object("createOptions");
    config.agent.auth = settings.object("auth");
    config.agent.env = agent.section("env").texts();
}

// Where the first agent's settings name the parent's registry; a deployment's are the agent's to replace.
void name_parent(Config& config, const Section& document) {
    static constexpr std::string_view upstream = "$upstream";
    const auto settings = document.section("agent").section("config");
    auto& agent = config.agent;
    const std::array texts{agent.image, boost::json::serialize(agent.create_options),
                           boost::json::serialize(agent.auth)};
    if (std::ranges::none_of(texts, [](std::string_view text) { return text.contains(upstream); })) return;
    if (config.parent_hostname.empty())
        return settings.complain("image",
                                 "or createOptions, or auth, names $upstream, but there is no parent_hostname");
    const auto named = [&](std::string text) {
        for (auto at = text.find(upstream); at != std::string::npos; at = text.find(upstream, at))
            text.replace(at, upstream.size(), config.parent_hostname);
        return text;
    };
    agent.image = named(texts[0]);
    // A host name needs no escapes: what was JSON stays so.
    agent.create_options = boost::json::parse(named(texts[1])).as_object();
    agent.auth = boost::json::parse(named(texts[2])).as_object();
}

void read_listeners(Config& config, const Section& document) {
    const auto connect = document.section("connect");
    const auto listen = document.section("listen");
    static_cast<void>(connect.text("workload_uri"));  // modules have sockets of their own
    if (auto uri = listen.text("management_uri")) config.management_listen = config.management_uri = *uri;
    if (auto uri = listen.text("workload_uri")) config.workload_listen = *uri;
    if (auto uri = connect.text("management_uri")) config.management_uri = *uri;
    for (const auto& [section, key, uri] : {std::tuple(listen, "management_uri", config.management_listen),
                                            std::tuple(listen, "workload_uri", config.workload_listen)})
        if (!uri.empty() && !uri.starts_with("unix:///") && !uri.starts_with("fd://"))
            section.complain(key, "must be unix:///path or fd://name");
}

void read_watchdog(Config& config, const Section& document) {
    const auto watchdog = document.section("watchdog");
    const auto* const key = "max_retries";
    if (!watchdog.has(key)) return;
    Reading aside;  // it may be a text or a number: only one of the two complaints counts
    const auto object = document.object("watchdog");
    const Section again(object, aside);
    if (again.text(key) == "infinite") return;
    if (const auto number = again.integer(key, 0, 1'000'000))
        config.watchdog_retries = static_cast<unsigned>(*number);
    else
        watchdog.complain(key, "must be \"infinite\" or a whole number");
}

// "80%"
std::optional<int> percent_of(const Section& section, std::string_view key) {
    const auto text = section.text(key);
    if (!text) return std::nullopt;
    int value = 0;
    const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (failed == std::errc{} && std::string_view(end) == "%" && value >= 1 && value <= 99) return value;
    section.complain(key, "must be a percentage from 1% to 99%");
    return std::nullopt;
}

void read_edge_ca(Config& config, const Section& document) {
    const auto section = document.section("edge_ca");
    auto& ca = config.edge_ca;
    ca.certificate = file_of(section, "cert");
    ca.key = file_of(section, "pk");
    if (section.has("cert") != section.has("pk")) section.complain("cert", "needs pk, and pk needs cert");
    const auto method = section.text("method").value_or("self_signed");
    if (method == "est" || method == "local_ca")
        section.complain("method", fmt::format(not_here, "\"" + method + "\"; use \"self_signed\", or cert and pk"));
    else if (method != "self_signed")
        section.complain("method", "must be \"self_signed\"");
    ca.common_name = section.text("common_name").value_or(section.section("subject").text("CN").value_or(""));
    for (const auto* key : {"auto_generated_edge_ca_expiry_days", "expiry_days"})
        if (const auto days = section.integer(key, 1, 36500)) ca.days = static_cast<int>(*days);
    const auto renewal = section.section("auto_renew");
    ca.rotate_key = renewal.flag("rotate_key").value_or(ca.rotate_key);
    ca.renew_at_percent = percent_of(renewal, "threshold").value_or(ca.renew_at_percent);
    static_cast<void>(renewal.text("retry"));
}

// [moby_runtime.network], as the engine takes it. Each entry of ipam.config: gateway, subnet, ip_range.
boost::json::object network_settings(const Section& network) {
    boost::json::object settings;
    if (network.flag("ipv6").value_or(false)) settings["EnableIPv6"] = true;
    const auto ipam = network.object("ipam");
    const auto* const list = ipam.if_contains("config");
    if (list == nullptr) return settings;
    boost::json::array entries;
    const auto entry_of = [&](const boost::json::value& entry) {
        boost::json::object out;
        for (const auto& [key, name] :
             {std::pair("gateway", "Gateway"), std::pair("subnet", "Subnet"), std::pair("ip_range", "IPRange")}) {
            const auto* const text = entry.is_object() ? entry.get_object().if_contains(key) : nullptr;
            if (text != nullptr && text->is_string()) out[name] = *text;
        }
        if (out.empty()) network.complain("ipam", "config must be a list of { subnet, gateway, ip_range }");
        entries.push_back(std::move(out));
    };
    if (!list->is_array())
        network.complain("ipam", "config must be a list of { subnet, gateway, ip_range }");
    else
        std::ranges::for_each(list->get_array(), entry_of);
    settings["IPAM"] = boost::json::object{{"Driver", "default"}, {"Config", std::move(entries)}};
    return settings;
}

MobyConfig read_moby(const Section& section) {
    MobyConfig moby;
    if (const auto uri = section.text("uri")) {
        if (const auto path = unix_path(*uri))
            moby.socket = *path;
        else
            section.complain("uri", "must be unix:///path");
    }
    const auto* const network = section.value("network");  // a name or a table
    if (network != nullptr && network->is_object()) {
        const auto table = section.section("network");
        moby.network = table.text("name").value_or(moby.network);
        moby.network_settings = network_settings(table);
    } else {
        moby.network = section.text("network").value_or(moby.network);
    }
    if (moby.network.empty()) section.complain("network", "must have a name");
    return moby;
}

void read_limit(const Section& section, std::string_view key, Duration longest, std::string_view problem,
                Duration& limit) {
    const auto text = section.text(key);
    if (!text) return;
    const auto time = parse_duration(*text);
    if (!time || *time < 1s || *time > longest)
        section.complain(key, problem);
    else
        limit = *time;
}

void read_skerry(Config& config, const Section& document) {
    const auto skerry = document.section("skerry");
    if (auto home = skerry.text("home")) config.home = *home;
    if (!config.home.is_absolute()) skerry.complain("home", "must be an absolute path");
    // Together less than the default rollback_reserve, which keeps the image of the agent before.
    read_limit(skerry, "agent_probation", 1h, "must be a time from \"1s\" to \"1h\"", config.agent_trial.proof);
    read_limit(skerry, "agent_silence", 30min, "must be a time from \"1s\" to \"30 min\"", config.agent_trial.silence);
    const auto engine = skerry.section("engine");
    // A file of the existing runtime names its engine in [moby_runtime], and means it.
    const bool has_moby = document.has("moby_runtime");
    const auto type = engine.text("type").value_or(has_moby ? "moby" : "process");
    if (type == "moby" || type == "docker")
        config.moby = read_moby(document.section("moby_runtime"));
    else if (type != "process")
        engine.complain("type", "must be \"process\" or \"moby\"");
    else
        static_cast<void>(document.object("moby_runtime"));
    config.bundles = engine.text("bundles").value_or((config.home / "bundles").native());
    if (!config.bundles.is_absolute()) engine.complain("bundles", "must be an absolute path");
}

// Keys of the existing runtime that this build knows and has no use for.
void note_without_effect(Config& config, const Section& document) {
    for (const auto* key :
         {"aziot_keys", "preloaded_keys", "preloaded_certs", "cert_issuance", "tpm", "localid", "aziot_max_requests"}) {
        if (!document.object(key).empty())
            config.warnings.push_back(std::string(key) + ": has no effect in this build");
    }
    if (document.text("auto_reprovisioning_mode"))
        config.warnings.emplace_back("auto_reprovisioning_mode: has no effect in this build");
    static_cast<void>(document.flag("prefer_module_identity_cache"));  // the cache always comes first
    for (const auto* key : {"cloud_timeout_sec", "cloud_retries"})
        static_cast<void>(document.integer(key, 0, 100'000));  // calls have limits of their own
}

std::string joined(const std::vector<std::string>& lines) {
    std::string out;
    for (const auto& line : lines) out += (out.empty() ? "" : "; ") + line;
    return out;
}
}  // namespace

Result<std::filesystem::path> unix_path(std::string_view uri) {
    if (!uri.starts_with("unix:///")) return fail(Errc::malformed, "'" + std::string(uri) + "' is not unix:///path");
    return std::filesystem::path(uri.substr(7));
}

Result<Config> parse_config(std::string_view toml, std::string_view host_name) {
    const auto parsed = parse_toml(toml);
    if (!parsed) return std::unexpected(parsed.error());
    Reading reading;
    const Section document(*parsed, reading);
    Config config;
    config.hostname = to_lower(document.text("hostname").value_or(std::string(host_name)));
    if (!is_host_name(config.hostname)) document.complain("hostname", "is no host name of at most 64 characters");
    const auto parent = document.text("local_gateway_hostname");
    config.parent_hostname = document.text("parent_hostname").value_or(parent.value_or(""));
    if (!config.parent_hostname.empty() && !is_host_name(config.parent_hostname))
        document.complain("parent_hostname", "is no host name");
    config.trust_bundle = file_of(document, "trust_bundle_cert");
    config.additional_info = file_of(document, "additional_info");
    config.imported_master_key = file_of(document, "imported_master_encryption_key");
    read_provisioning(config, document);
    read_agent(config, document);
    name_parent(config, document);
    read_listeners(config, document);
    read_watchdog(config, document);
    read_edge_ca(config, document);
    read_skerry(config, document);
    config.image_garbage = read_image_garbage(document);
    config.log_limits = read_log_limits(document);
    config.image_policy = read_image_policy(document);
    if (!config.moby && !config.image_policy.rules.empty())
        config.warnings.push_back("skerry.image_policy: has no effect on plain processes");
    config.may_be_elevated = document.flag("allow_elevated_docker_permissions").value_or(config.may_be_elevated);
    const auto limits = document.section("iotedge_max_requests");
    if (const auto most = limits.integer("management", 1, 10'000))
        config.management_connections = static_cast<std::size_t>(*most);
    if (const auto most = limits.integer("workload", 1, 10'000))
        config.workload_connections = static_cast<std::size_t>(*most);
    note_without_effect(config, document);
    if (!reading.errors.empty()) return fail(Errc::malformed, joined(reading.errors));
    for (const auto& key : unknown_keys(*parsed, reading)) config.warnings.push_back(key + ": unknown key, ignored");
    return config;
}

Result<Config> load_config(storage::Files& files, const std::filesystem::path& path) {
    const auto text = storage::read_file(files, path, 1024 * 1024);
    if (!text) return fail(text.error().while_doing("reading the configuration"));
    std::array<char, 256> host{};
    if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
    auto config = parse_config(*text, host.data());
    if (!config) return fail(config.error().while_doing(path.native()));
    if (const auto loaded = load_keys(config->image_policy, files); !loaded)
        return fail(loaded.error().while_doing(path.native()));
    config->file = path;
    if (config->device_key_file) {
        const auto key = storage::read_file(files, *config->device_key_file, 4096);
        if (!key) return fail(key.error().while_doing("provisioning.authentication.device_id_pk.uri"));
        auto trimmed = *key;
        while (!trimmed.empty() && (trimmed.back() == '\n' || trimmed.back() == '\r')) trimmed.pop_back();
        config->device_key = base64_decode(trimmed).value_or(*key);
        if (config->device_key.empty())
            return fail(Errc::malformed, config->device_key_file->native() + ": the device's key is empty");
    }
    return config;
}

}  // namespace skerry::daemon
