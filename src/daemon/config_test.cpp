#include "daemon/config.hpp"

#include "daemon/listen.hpp"
#include "daemon/modules.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <boost/json/serialize.hpp>

#include <algorithm>

using namespace skerry;
using namespace skerry::daemon;

namespace {
const std::string provisioning = R"(
[provisioning]
source = "manual"
connection_string = "HostName=hub.example.net;DeviceId=edge-1;SharedAccessKey=c2VjcmV0"
)";
const std::string agent = R"(
[agent]
[agent.config]
image = "skerry/agent:1"
)";

// Replaces what must be right for a configuration to be whole.
Result<Config> parse(const std::string& text) { return parse_config(text, "machine"); }
}  // namespace

TEST_CASE("the least configuration has sensible defaults") {
    const auto config = parse(
        agent +
        "[provisioning]\nsource='manual'\nconnection_string='HostName=h.net;DeviceId=d;SharedAccessKey=c2VjcmV0'");
    REQUIRE_MESSAGE(config, config.error().text);
    CHECK(config->hostname == "machine");
    CHECK(config->hub_host == "h.net");
    CHECK(config->device_id == "d");
    CHECK(config->device_key == "secret");
    CHECK(config->management_listen == "unix:///var/run/iotedge/mgmt.sock");
    CHECK(config->workload_listen.empty());
    CHECK(config->home == "/var/lib/aziot/edged");
    CHECK(config->bundles == "/var/lib/aziot/edged/bundles");
    CHECK_FALSE(config->watchdog_retries);
    CHECK(config->edge_ca.days == 90);
    CHECK(config->edge_ca.renew_at_percent == 80);
    CHECK(config->warnings.empty());
}

TEST_CASE("the keys of the existing runtime are read") {
    const auto config = parse(R"(
hostname = "Gateway-1"
parent_hostname = "parent.local"
trust_bundle_cert = "file:///etc/ca.pem"
imported_master_encryption_key = "/etc/key"
allow_elevated_docker_permissions = true
cloud_timeout_sec = 70

[provisioning]
source = "manual"
iothub_hostname = "hub.example.net"
device_id = "edge-1"
[provisioning.authentication]
method = "sas"
device_id_pk = { uri = "file:///etc/device.key" }

[agent]
name = "edgeAgent"
type = "docker"
imagePullPolicy = "never"
[agent.config]
image = "skerry/agent:1"
createOptions = { HostConfig = { Memory = 1000000 } }
[agent.config.auth]
username = "u"
[agent.env]
RuntimeLogLevel = "debug"

[connect]
management_uri = "unix:///run/m.sock"
[listen]
management_uri = "fd://aziot-edged.mgmt.socket"
workload_uri = "unix:///run/w.sock"
[watchdog]
max_retries = 3
[edge_ca]
method = "self_signed"
common_name = "our CA"
auto_generated_edge_ca_expiry_days = 10
[edge_ca.auto_renew]
rotate_key = true
threshold = "50%"
retry = "4%"
[moby_runtime]
uri = "unix:///var/run/docker.sock"
network = "azure-iot-edge"
[iotedge_max_requests]
management = 7
workload = 8
[skerry]
home = "/srv/edge"
[skerry.engine]
type = "process"
bundles = "/srv/bundles"
)");
    REQUIRE_MESSAGE(config, config.error().text);
    CHECK(config->hostname == "gateway-1");
    CHECK(config->parent_hostname == "parent.local");
    CHECK(config->trust_bundle == "/etc/ca.pem");
    CHECK(config->imported_master_key == "/etc/key");
    CHECK(config->device_key_file == "/etc/device.key");
    CHECK(config->agent.pull_policy == model::PullPolicy::never);
    CHECK(config->agent.create_options.contains("HostConfig"));
    CHECK(config->agent.env.at("RuntimeLogLevel") == "debug");
    CHECK(config->management_uri == "unix:///run/m.sock");
    CHECK(config->management_listen == "fd://aziot-edged.mgmt.socket");
    CHECK(config->workload_listen == "unix:///run/w.sock");
    CHECK(config->watchdog_retries == 3U);
    CHECK(config->edge_ca.common_name == "our CA");
    CHECK(config->edge_ca.days == 10);
    CHECK(config->edge_ca.renew_at_percent == 50);
    CHECK(config->edge_ca.rotate_key);
    CHECK(config->management_connections == 7);
    CHECK(config->workload_connections == 8);
    CHECK(config->home == "/srv/edge");
    CHECK(config->bundles == "/srv/bundles");
    CHECK(config->warnings.empty());
}

TEST_CASE("$upstream in the first agent's settings stands for the parent, and needs one") {
    constexpr std::string_view child = R"(
[provisioning]
source = "manual"
connection_string = "HostName=h;DeviceId=d;SharedAccessKey=a2V5"
[agent]
name = "edgeAgent"
type = "docker"
[agent.config]
image = "$upstream:443/skerry/agent:1"
createOptions = { Labels = { from = "$upstream:443, $upstream" } }
auth = { serveraddress = "$upstream:443", username = "u" }
)";
    const auto config = parse("parent_hostname = \"10.0.0.5\"\n" + std::string(child));
    REQUIRE_MESSAGE(config, config.error().text);
    CHECK(config->agent.image == "10.0.0.5:443/skerry/agent:1");
    CHECK(config->agent.create_options.at("Labels").at("from") == "10.0.0.5:443, 10.0.0.5");
    CHECK(config->agent.auth.at("serveraddress") == "10.0.0.5:443");
    const auto orphan = parse(std::string(child));
    REQUIRE_FALSE(orphan);
    CHECK(orphan.error().text.contains("there is no parent_hostname"));
}

TEST_CASE("a file that names a container engine means it, unless [skerry.engine] says otherwise") {
    const auto whole = agent + provisioning;
    CHECK_FALSE(parse(whole)->moby);
    CHECK_FALSE(parse(whole + "[moby_runtime]\n[skerry.engine]\ntype = \"process\"")->moby);
    const auto named = parse(whole + "[skerry.engine]\ntype = \"moby\"");
    REQUIRE(named);
    REQUIRE(named->moby);
    CHECK(named->moby->socket == "/var/run/docker.sock");
    CHECK(named->moby->network == "azure-iot-edge");
    CHECK(named->moby->network_settings.empty());
    CHECK(named->may_be_elevated);

    const auto config = parse("allow_elevated_docker_permissions = false\n" + whole + R"(
[moby_runtime]
uri = "unix:///run/podman.sock"
[moby_runtime.network]
name = "ours"
ipv6 = true
[[moby_runtime.network.ipam.config]]
gateway = "10.1.0.1"
subnet = "10.1.0.0/16"
ip_range = "10.1.1.0/24"
)");
    REQUIRE_MESSAGE(config, config.error().text);
    REQUIRE(config->moby);
    CHECK(config->moby->socket == "/run/podman.sock");
    CHECK(config->moby->network == "ours");
    CHECK(boost::json::serialize(config->moby->network_settings) ==
          R"({"EnableIPv6":true,"IPAM":{"Driver":"default","Config":[)"
          R"({"Gateway":"10.1.0.1","Subnet":"10.1.0.0/16","IPRange":"10.1.1.0/24"}]}})");
    CHECK_FALSE(config->may_be_elevated);
    CHECK(config->warnings.empty());
}

TEST_CASE("a bad key is refused with its path and the reason") {
    struct Row {
        std::string text;
        const char* expected;
    };
    const auto whole = agent + provisioning;
    const std::string connection = "[provisioning]\nsource = \"manual\"\nconnection_string = ";
    const Row rows[] = {
        {"", "provisioning.source: must be \"manual\""},
        {"", "agent.config.image: is missing"},
        {"hostname = 5\n" + whole, "hostname: must be a string"},
        {"hostname = \"a b\"\n" + whole, "hostname: is no host name"},
        {"trust_bundle_cert = \"http://x\"\n" + whole, "trust_bundle_cert: must be file:///path"},
        {"additional_info = \"info.toml\"\n" + whole, "additional_info: must be file:///path"},
        {agent + connection + "\"HostName=h;DeviceId=d\"", "provisioning.connection_string: "},
        {agent + connection + "\"HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=c2VjcmV0\"", "must be a device's"},
        {agent + "[provisioning]\nsource = \"dps\"",
         "provisioning.source: is not in this build yet: provisioning through DPS"},
        {agent + "[provisioning]\nsource = \"none\"", "provisioning.source: is not in this build yet"},
        {agent + "[provisioning]\nsource = \"manual\"", "provisioning.connection_string: is missing"},
        {agent + "[provisioning]\nsource = \"manual\"\niothub_hostname = \"h\"\ndevice_id = "
                 "\"d\"\n[provisioning.authentication]\nmethod = \"x509\"",
         "provisioning.authentication.method: is not in this build yet: a device certificate"},
        {agent + "[provisioning]\nsource = \"manual\"\niothub_hostname = \"h\"\ndevice_id = "
                 "\"d\"\n[provisioning.authentication]\nmethod = \"sas\"\ndevice_id_pk = { value = \"!\" }",
         "provisioning.authentication.device_id_pk.value: must be a base64 text"},
        {agent + "[provisioning]\nsource = \"manual\"\niothub_hostname = \"h\"\ndevice_id = "
                 "\"d\"\n[provisioning.authentication]\nmethod = \"sas\"\ndevice_id_pk = { uri = \"pkcs11:x\" }",
         "provisioning.authentication.device_id_pk.uri: PKCS#11 keys are not in this build yet"},
        {whole + "[listen]\nmanagement_uri = \"http://x\"", "listen.management_uri: must be unix:///path or fd://name"},
        {whole + "[watchdog]\nmax_retries = \"some\"", "watchdog.max_retries: must be \"infinite\" or a whole number"},
        {whole + "[edge_ca]\nmethod = \"est\"", "edge_ca.method: is not in this build yet"},
        {whole + "[edge_ca]\ncert = \"file:///c\"", "edge_ca.cert: needs pk"},
        {whole + "[edge_ca.auto_renew]\nthreshold = \"80\"", "edge_ca.auto_renew.threshold: must be a percentage"},
        {whole + "[edge_ca]\nexpiry_days = 0", "edge_ca.expiry_days: must be a whole number from 1"},
        {whole + "[skerry]\nhome = \"relative\"", "skerry.home: must be an absolute path"},
        {whole + "[skerry.engine]\ntype = \"podman\"", "skerry.engine.type: must be \"process\" or \"moby\""},
        {whole + "[moby_runtime]\nuri = \"tcp://x\"", "moby_runtime.uri: must be unix:///path"},
        {whole + "[moby_runtime]\nnetwork = \"\"", "moby_runtime.network: must have a name"},
        {whole + "[moby_runtime.network.ipam]\nconfig = 5", "moby_runtime.network.ipam: config must be a list"},
        {whole + "[skerry]\nengine = 5", "skerry.engine: must be a section"},
        {"hostname = \n", "line 1, column"},
    };
    for (const auto& row : rows) {
        const auto config = parse(row.text);
        REQUIRE_FALSE_MESSAGE(config, row.expected);
        CHECK(config.error().code == Errc::malformed);
        CHECK_MESSAGE(config.error().text.find(row.expected) != std::string::npos, config.error().text);
        CHECK(config.error().text.find("c2VjcmV0") == std::string::npos);
    }
}

TEST_CASE("unknown keys are warned of by name, known ones without effect too") {
    const auto config = parse("surprise = 1\n" + agent + "extra = 1\n" + provisioning +
                              "[tpm]\ntcti = \"device\"\n[skerry]\nhom = \"/x\"\n");
    REQUIRE_MESSAGE(config, config.error().text);
    const auto warned = [&](std::string_view text) {
        return std::ranges::find(config->warnings, text) != config->warnings.end();
    };
    CHECK(warned("surprise: unknown key, ignored"));
    CHECK(warned("agent.config.extra: unknown key, ignored"));
    CHECK(warned("skerry.hom: unknown key, ignored"));
    CHECK(warned("tpm: has no effect in this build"));
    CHECK(config->warnings.size() == 4);
}

TEST_CASE("a home that is too deep for sockets is refused with the limit") {
    CHECK(check_home("/var/lib/aziot/edged"));
    CHECK(check_home("/home/somebody/.local/state/skerry/edge"));
    const auto deep = check_home("/" + std::string(100, 'x'));
    REQUIRE_FALSE(deep);
    CHECK(deep.error().text.find("107") != std::string::npos);
    const auto longest = "/" + std::string(75, 'x');
    CHECK(check_home(longest));
    CHECK_FALSE(check_home(longest + "x"));
    CHECK(socket_folder("/h", "a") != socket_folder("/h", "b"));
}

TEST_CASE("sockets handed down by systemd are found by name or number") {
    const HandedDown given{"42", "2", "aziot-edged.mgmt:aziot-edged.workload.socket"};
    CHECK(find_handed_down(given, 42, "aziot-edged.mgmt.socket").value() == 3);
    CHECK(find_handed_down(given, 42, "aziot-edged.workload.socket").value() == 4);
    CHECK(find_handed_down(given, 42, "1").value() == 4);
    CHECK_FALSE(find_handed_down(given, 42, "2"));
    CHECK_FALSE(find_handed_down(given, 42, "other"));
    CHECK_FALSE(find_handed_down(given, 43, "aziot-edged.mgmt.socket"));
    CHECK_FALSE(find_handed_down({}, 42, "0"));
}

TEST_CASE("how long a new agent is watched is a time from a second to an hour") {
    using namespace std::chrono_literals;
    CHECK(parse(provisioning + agent)->agent_trial.proof == 60s);
    CHECK(parse(provisioning + agent)->agent_trial.silence == 5min);
    CHECK(parse(provisioning + agent + "[skerry]\nagent_silence = \"40s\"")->agent_trial.silence == 40s);
    const std::string skerry = "[skerry]\nagent_probation = ";
    CHECK(parse(provisioning + agent + skerry + "\"5 min\"")->agent_trial.proof == 5min);
    for (const auto* wrong : {"\"0s\"", "\"2h\"", "\"soon\"", "7"}) {
        const auto refused = parse(provisioning + agent + skerry + wrong);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().text.find("skerry.agent_probation: must be a") != std::string::npos);
    }
}

TEST_CASE("image garbage collection and log limits are read, with the existing runtime's defaults") {
    const auto least = parse(provisioning + agent);
    REQUIRE(least);
    CHECK(least->image_garbage == ImageGarbageConfig{});
    CHECK(least->log_limits == engine::moby::LogLimits{"10m", 3});
    const auto full = parse(provisioning + agent + R"(
[image_garbage_collection]
enabled = false
cleanup_recurrence = "2d"
image_age_cleanup_threshold = "12h"
cleanup_time = "23:59"
[skerry.images]
rollback_reserve = "30m"
[skerry.logs]
max_size = "500k"
max_files = 5
)");
    REQUIRE_MESSAGE(full, full.error().text);
    using namespace std::chrono_literals;
    CHECK(full->image_garbage == ImageGarbageConfig{false, 48h, 12h, 23h + 59min, 30min});
    CHECK(full->log_limits == engine::moby::LogLimits{"500k", 5});
    CHECK(full->warnings.empty());
    CHECK_FALSE(parse(provisioning + agent + "[skerry.logs]\nlimit = false")->log_limits);
}

TEST_CASE("image garbage collection and log limits that can't be are named") {
    const auto refused = parse(provisioning + agent + R"(
[image_garbage_collection]
cleanup_recurrence = "36h"
image_age_cleanup_threshold = "soon"
cleanup_time = "24:00"
[skerry.logs]
max_size = "big"
max_files = 0
)");
    REQUIRE_FALSE(refused);
    for (const auto* key :
         {"cleanup_recurrence", "image_age_cleanup_threshold", "cleanup_time", "max_size", "max_files"})
        CHECK_MESSAGE(refused.error().text.find(key) != std::string::npos, key);
}

TEST_CASE("the rules for images are read; a misspelt one is refused, since it would protect nothing") {
    using engine::registry::Demand;
    const auto config = parse(provisioning + agent + R"(
[moby_runtime]
[[skerry.image_policy]]
scope = "*"
require = "reject"
[[skerry.image_policy]]
scope = "plant:5000"
require = "signature"
keys = ["/etc/skerry/plant.pem"]
)");
    REQUIRE_MESSAGE(config, config.error().text);
    REQUIRE(config->image_policy.rules.size() == 2);
    CHECK(config->image_policy.rules[0].demand == Demand::reject);
    CHECK(config->image_policy.rules[1].demand == Demand::signature);
    CHECK(config->image_policy.rules[1].keys == std::vector<std::string>{"/etc/skerry/plant.pem"});
    CHECK(config->warnings.empty());
    for (const auto* rule :
         {"scope = '*'", "scope = '*'\nrequire = 'signed'", "require = 'reject'", "scope = '*'\nrequire = 'signature'",
          "scope = '*'\nrequire = 'signature'\nkeys = ['a']", "scope = '*'\nrequire = 'accept'\nkeys = ['/a']",
          "scope = '*'\nrequires = 'reject'", "scope = '*'\nrequire = 'reject'\nextra = 1"})
        CHECK_MESSAGE(!parse(provisioning + agent + "[[skerry.image_policy]]\n" + rule), rule);
    CHECK_FALSE(parse(provisioning + agent + "[skerry]\nimage_policy = 'strict'"));
}

TEST_CASE("the keys of the rules must be there, and be keys") {
    sim::TemporaryFolder folder;
    const auto files = storage::make_system_files();
    engine::registry::TrustPolicy policy{.rules = {{"*", engine::registry::Demand::signature, {folder / "k.pem"}}}};
    CHECK_FALSE(load_keys(policy, *files));
    REQUIRE(storage::replace_file(*files, folder / "k.pem", "no key"));
    const auto refused = load_keys(policy, *files);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().text.find("k.pem") != std::string::npos);
    const std::string pem =
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvmgHUQZoo87AxhjQIsJKFsJx/xAu\n"
        "zG66+iuvG00Er2HGpSSb2ZofPCuVP1F1k8yMIUmzqC0uMrg9NqLXggLVhw==\n-----END PUBLIC KEY-----\n";
    REQUIRE(storage::replace_file(*files, folder / "k.pem", pem));
    REQUIRE(load_keys(policy, *files));
    CHECK(policy.rules[0].keys[0] == pem);
}
