#include "iothub/sas.hpp"

#include "base/encoding.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace skerry;
using namespace skerry::iothub;
using namespace std::chrono_literals;

namespace {
const std::string key = base64_decode("c2VjcmV0LWtleS1vZi1kZXYx").value();
const std::vector<std::string> hosts{"myhub.azure-devices.local", "edge.local"};

WallTime at(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }
model::Identity identity(std::string_view id) { return model::Identity::parse(id).value(); }

SasToken token_for(std::string resource) { return SasToken{std::move(resource), "signature", "1795299054", {}}; }
bool covers_id(std::string resource, std::string_view id) {
    return covers(token_for(std::move(resource)), hosts, identity(id));
}
}  // namespace

TEST_CASE("recorded forms of tokens are read and their signatures hold") {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"sr=myhub.azure-devices.local%2Fdevices%2Fdev1&sig=PwR97TaAjlg83ZwxxmXYDlRk%2BIHmKhm88zOYsDg%2Bo1k%3D"
         "&se=1795299054",
         "myhub.azure-devices.local%2Fdevices%2Fdev1"},
        {"sr=myhub.azure-devices.local%2fdevices%2fdev1&se=1795299054"
         "&sig=f9znYUC%2fkJSoBZOm5jBuRFkCZmTP%2bwEc4Ig3Q6Ql4Ms%3d&skn=",
         "myhub.azure-devices.local%2fdevices%2fdev1"},
        {"skn=registration&sig=FKsHw4vYlyDttIKyPTY4JbSWPdyAnjuLzCx1b+nt/34=&se=1795299054"
         "&sr=0ne00000001/registrations/reg1",
         "0ne00000001/registrations/reg1"},
    };
    for (const auto& [fields, resource] : cases) {
        CAPTURE(fields);
        for (const std::string_view scheme : {"SharedAccessSignature ", "sharedaccesssignature "}) {
            const auto token = parse_sas(std::string(scheme).append(fields));
            REQUIRE(token);
            CHECK(token->resource == resource);
            CHECK(token->expires() == at(1795299054));
            CHECK(is_signed_with(*token, key));
            CHECK_FALSE(is_signed_with(*token, key + "x"));
        }
    }
}

TEST_CASE("the signature is over the text as written, escapes and all") {
    const auto token = parse_sas(
        "SharedAccessSignature sr=myhub.azure-devices.local%2Fdevices%2fdev1"
        "&sig=PwR97TaAjlg83ZwxxmXYDlRk%2BIHmKhm88zOYsDg%2Bo1k%3D&se=1795299054");
    REQUIRE(token);
    CHECK_FALSE(is_signed_with(*token, key));
}

TEST_CASE("what is no token is refused without telling its secrets") {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", "does not start"},
        {"Bearer x", "does not start"},
        {"SharedAccessSignature ", "(sr)"},
        {"SharedAccessSignature sr=a", "(sig)"},
        {"SharedAccessSignature sr=a&sig=c2VjcmV0", "(se)"},
        {"SharedAccessSignature sr=a&sig=c2VjcmV0&se=", "(se)"},
        {"SharedAccessSignature sr=a&sig=c2VjcmV0&se=soon", "(se)"},
        {"SharedAccessSignature sr=a&sig=c2VjcmV0&se=-1", "(se)"},
        {"SharedAccessSignature sr=a&sig=secret!&se=1", "(sig)"},
        {"SharedAccessSignature sr=a&sig=c2VjcmV0%2&se=1", "(sig)"},
        {"SharedAccessSignature sr=a%2&sig=c2VjcmV0&se=1", "(sr)"},
        {"SharedAccessSignature sr=a&sr=b&sig=c2VjcmV0&se=1", "'sr' twice"},
        {"SharedAccessSignature sr=a&secret&sig=c2VjcmV0&se=1", "without '='"},
    };
    for (const auto& [text, expected] : cases) {
        CAPTURE(text);
        const auto token = parse_sas(text);
        REQUIRE_FALSE(token);
        CHECK(token.error().code == Errc::malformed);
        CAPTURE(token.error().text);
        CHECK(token.error().text.find(expected) != std::string::npos);
        CHECK(token.error().text.find("secret") == std::string::npos);
        CHECK(token.error().text.find("c2VjcmV0") == std::string::npos);
    }
    CHECK_FALSE(parse_sas("SharedAccessSignature sr=" + std::string(10000, 'a') + "&sig=c2VjcmV0&se=1"));
}

TEST_CASE("a token expires with five minutes of grace") {
    const auto token = token_for("h");
    CHECK_FALSE(is_expired(token, at(1795299054)));
    CHECK_FALSE(is_expired(token, at(1795299054 + 299)));
    CHECK(is_expired(token, at(1795299054 + 300)));
    CHECK(is_expired(token, at(1795299054), 0s));
}

TEST_CASE("an expiry in milliseconds, or larger than time itself, is far away") {
    for (const auto* expiry : {"1795299054000", "99999999999999999999999999"}) {
        auto token = token_for("h");
        token.expiry = expiry;
        CHECK_FALSE(is_expired(token, at(8'000'000'000)));
    }
}

TEST_CASE("a token that we make is one that we accept") {
    const auto module = identity("dev%1/m@1");
    const auto resource = resource_of("myhub.azure-devices.local", module);
    CHECK(resource == "myhub.azure-devices.local/devices/dev%251/modules/m%401");
    const auto text = make_sas(resource, key, at(1795299054), "device policy");
    const auto token = parse_sas(text);
    REQUIRE(token);
    CHECK(token->resource == "myhub.azure-devices.local%2Fdevices%2Fdev%25251%2Fmodules%2Fm%25401");
    CHECK(is_signed_with(*token, key));
    CHECK(token->policy == "device policy");
    CHECK(covers(*token, hosts, module));
    CHECK(make_sas("myhub.azure-devices.local/devices/dev1", key, at(1795299054)) ==
          "SharedAccessSignature sr=myhub.azure-devices.local%2Fdevices%2Fdev1"
          "&sig=PwR97TaAjlg83ZwxxmXYDlRk%2BIHmKhm88zOYsDg%2Bo1k%3D&se=1795299054");
    CHECK(sas_text_to_sign("a%2Fb", 7) == "a%2Fb\n7");
}

TEST_CASE("a resource covers by whole segments, without regard to case") {
    CHECK(covers_id("myhub.azure-devices.local%2Fdevices%2Fdev1", "dev1"));
    CHECK(covers_id("myhub.azure-devices.local/devices/dev1", "dev1"));
    CHECK(covers_id("MYHUB.azure-devices.local%2fdevices%2fDEV1", "dev1"));
    CHECK(covers_id("myhub.azure-devices.local%2Fdevices%2Fdev1%2F", "dev1"));
    CHECK(covers_id("edge.local%2Fdevices%2Fdev1", "dev1"));
    CHECK(covers_id("amqps%3A%2F%2Fmyhub.azure-devices.local%2Fdevices%2Fdev1", "dev1"));
    CHECK(covers_id("https://myhub.azure-devices.local:443/devices/dev1", "dev1"));
    CHECK(covers_id("myhub.azure-devices.local/devices/a%2540b", "a@b"));
    CHECK(covers_id("myhub.azure-devices.local/devices/a@b", "a@b"));

    CHECK_FALSE(covers_id("myhub.azure-devices.local%2Fdevices%2Fdev", "dev1"));
    CHECK_FALSE(covers_id("myhub.azure-devices.local%2Fdevices%2Fdev1", "dev"));
    CHECK_FALSE(covers_id("myhub.azure-devices.local%2Fdevices", "dev1"));
    CHECK_FALSE(covers_id("myhub.azure-devices.local%2Fdevices%2Fdev1%2Fmessages%2Fevents", "dev1"));
    CHECK_FALSE(covers_id("otherhub.azure-devices.local%2Fdevices%2Fdev1", "dev1"));
    CHECK_FALSE(covers_id("%2Fdevices%2Fdev1", "dev1"));
    CHECK_FALSE(covers_id("dev1", "dev1"));
}

TEST_CASE("a device's resource covers its modules, a module's covers no device, the host covers all") {
    CHECK(covers_id("edge.local/devices/d", "d/m"));
    CHECK(covers_id("edge.local/devices/d/modules/m", "d/m"));
    CHECK_FALSE(covers_id("edge.local/devices/d/modules/m", "d"));
    CHECK_FALSE(covers_id("edge.local/devices/d/modules/m", "d/m2"));
    CHECK_FALSE(covers_id("edge.local/devices/d/modules", "d/m"));
    CHECK_FALSE(covers_id("edge.local/devices/other", "d/m"));
    CHECK(covers_id("edge.local", "d"));
    CHECK(covers_id("edge.local", "d/m"));
}

TEST_CASE("a service's token names the host or a path under it") {
    CHECK(covers_host(token_for("myhub.azure-devices.local"), hosts));
    CHECK(covers_host(token_for("MyHub.azure-devices.local%2Fdevices%2Fd"), hosts));
    CHECK_FALSE(covers_host(token_for("myhub.azure-devices.local.evil"), hosts));
    CHECK_FALSE(covers_host(token_for(""), hosts));
}

TEST_CASE("connection strings are read part by part, names without case") {
    const auto device = parse_connection_string(
        " HostName=h.x;DeviceId=d;SharedAccessKey=c2VjcmV0LWtleS1vZi1kZXYx;GatewayHostName=g \n");
    REQUIRE(device);
    CHECK(device->host == "h.x");
    CHECK(device->device_id == "d");
    CHECK(device->module_id.empty());
    CHECK(device->key == key);
    CHECK(device->gateway_host == "g");
    CHECK_FALSE(device->x509);

    const auto module = parse_connection_string("hostname=h;deviceid=d;moduleid=m;sharedaccesskey=QQ==;");
    REQUIRE(module);
    CHECK(module->module_id == "m");
    CHECK(module->key == "A");

    const auto policy = parse_connection_string("HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=QQ==");
    REQUIRE(policy);
    CHECK(policy->policy == "iothubowner");

    CHECK(parse_connection_string("HostName=h;DeviceId=d;x509=true")->x509);
}

TEST_CASE("a broken connection string is refused by the part's name, and the key stays secret") {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", "no HostName"},
        {"DeviceId=d;SharedAccessKey=QQ==", "no HostName"},
        {"HostName=h;SharedAccessKey=QQ==", "neither a DeviceId"},
        {"HostName=h;DeviceId=d", "neither a SharedAccessKey"},
        {"HostName=h;DeviceId=d;SharedAccessKey=secret!", "SharedAccessKey that is no base64"},
        {"HostName=h;DeviceId=a b;SharedAccessKey=QQ==", "invalid DeviceId"},
        {"HostName=h;ModuleId=m;SharedAccessKeyName=p;SharedAccessKey=QQ==", "ModuleId but no DeviceId"},
        {"HostName=h;HostName=i;DeviceId=d;SharedAccessKey=QQ==", "twice"},
        {"HostName=h;secret;DeviceId=d", "not Name=value"},
    };
    for (const auto& [text, expected] : cases) {
        CAPTURE(text);
        const auto parsed = parse_connection_string(text);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().code == Errc::malformed);
        CAPTURE(parsed.error().text);
        CHECK(parsed.error().text.find(expected) != std::string::npos);
        CHECK(parsed.error().text.find("secret") == std::string::npos);
    }
}
