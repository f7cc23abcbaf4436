#include "iothub/topics.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::iothub;

TEST_CASE("the user names of the SDKs are read") {
    const auto node = parse_user_name(
        "myhub.azure-devices.local/dev1/"
        "?api-version=2021-04-12&DeviceClientType=azure-iot-device%2F1.18.4%20(node%20v20."
        "20.2%3B%20Debian%2012%3B%20x64)");
    REQUIRE(node);
    CHECK(node->host == "myhub.azure-devices.local");
    CHECK(node->identity.id() == "dev1");
    CHECK(node->api_version == "2021-04-12");
    CHECK(node->client_type == "azure-iot-device/1.18.4 (node v20.20.2; Debian 12; x64)");
    CHECK(node->auth_chain.empty());

    const auto module = parse_user_name("h/dev1/modA/?api-version=2019-10-01&model-id=dtmi:com:x;1&DeviceClientType=");
    REQUIRE(module);
    CHECK(module->identity.id() == "dev1/modA");
    CHECK(module->model_id == "dtmi:com:x;1");
    CHECK(module->client_type.empty());

    const auto chained = parse_user_name("h/leaf/?api-version=2020-09-30&auth-chain=leaf%3Bchild%3Btop");
    REQUIRE(chained);
    CHECK(chained->auth_chain == std::vector<std::string>{"leaf", "child", "top"});
}

TEST_CASE("user names without the question mark and the one with slashes are read, too") {
    CHECK(parse_user_name("h/d/api-version=2016-11-14")->identity.id() == "d");
    CHECK(parse_user_name("h/d/m/api-version=2016-11-14&x=y")->identity.id() == "d/m");
    const auto legacy = parse_user_name(
        "h/d/m/Api-Version=2017-06-30/DeviceClientType=Microsoft.Azure.Devices.Client/1.5.1-preview-003");
    REQUIRE(legacy);
    CHECK(legacy->identity.id() == "d/m");
    CHECK(legacy->api_version == "2017-06-30");
    CHECK(legacy->client_type == "Microsoft.Azure.Devices.Client/1.5.1-preview-003");
}

TEST_CASE("details of the query follow the existing parser") {
    CHECK(parse_user_name("h/ d /?api-version=1")->identity.id() == "d");
    CHECK(parse_user_name("h/d?x/?api-version=1")->identity.id() == "d?x");
    CHECK(parse_user_name("h/d/?api-version=1&api-version=2")->api_version == "1");
    CHECK(parse_user_name("h/d/?DeviceClientType=a+b%zz&api-version=1")->client_type == "a+b%zz");
    CHECK(parse_user_name("/d/?api-version=1"));
}

TEST_CASE("what is no user name is refused") {
    for (const auto* bad :
         {"",
          "/",
          "h",
          "h/d",
          "h/d/",
          "h/d/?",
          "h/d/?api-version=",
          "h/d/?api-version=%20",
          "h/d/?Api-Version=1",
          "h/d/m",
          "h//?api-version=1",
          "h/ /?api-version=1",
          "h/d//?api-version=1",
          "h/d/m/x/?api-version=1",
          "?api-version=1",
          "h/?api-version=1",
          "h/d/?api-version=1&DeviceClientType=a/b",
          "h/a b/?api-version=1",
          "h/d/?api-version=1&model-id=%ff",
          "h/d/?api-version=1&auth-chain=a%3Bb/c%2Fd%2Fe",
          "h/d/?api-version=1&auth-chain=a%3Bb%20c",
          "api-version=2017-06-30/DeviceClientType=Microsoft.Azure.Devices.Client/1.5.1-preview-003"}) {
        CAPTURE(bad);
        const auto parsed = parse_user_name(bad);
        REQUIRE_FALSE(parsed);
        CHECK(parsed.error().code == Errc::malformed);
    }
    std::string chain = "h/d/?api-version=1&auth-chain=d";
    for (int i = 0; i < 20; ++i) chain += "%3Bx";
    CHECK_FALSE(parse_user_name(chain));
}

TEST_CASE("a user name that we write is one that we read") {
    const auto identity = model::Identity::module("d", "m").value();
    const auto text = format_user_name("hub.x", identity, "skerry/1 (linux; x)", {"d/m", "edge"});
    CHECK(text ==
          "hub.x/d/m/?api-version=2021-04-12&DeviceClientType=skerry%2F1%20%28linux%3B%20x%29&auth-chain=d%2Fm%3Bedge");
    const auto parsed = parse_user_name(text);
    REQUIRE(parsed);
    CHECK(parsed->host == "hub.x");
    CHECK(parsed->identity == identity);
    CHECK(parsed->client_type == "skerry/1 (linux; x)");
    CHECK(parsed->auth_chain == std::vector<std::string>{"d/m", "edge"});
}
