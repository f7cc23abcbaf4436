#include "iothub/topics.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <set>

using namespace skerry;
using namespace skerry::iothub;

namespace {
model::Identity identity(std::string_view id) { return model::Identity::parse(id).value(); }

template <class Kind>
Kind client_topic(std::string_view topic) {
    return std::get<Kind>(parse_client_topic(topic).value());
}
template <class Kind>
Kind hub_topic(std::string_view topic) {
    return std::get<Kind>(parse_hub_topic(topic).value());
}

const std::string_view recorded_bag =
    "%24.mid=mid%201&%24.cid=c%2F1&%24.ct=application%2Fjson&%24.ce=utf-8&%24.exp=2023-11-14T22%3A13%3A20.000Z"
    "&key%20a=val%26b%3Dc";
}  // namespace

TEST_CASE("the recorded property bag becomes system and application properties") {
    const auto bag = parse_property_bag(recorded_bag);
    REQUIRE(bag);
    CHECK(bag->system == model::Properties{{"messageId", "mid 1"},
                                           {"cid", "c/1"},
                                           {"contentType", "application/json"},
                                           {"contentEncoding", "utf-8"},
                                           {"absolute-expiry-time", "2023-11-14T22:13:20.000Z"}});
    CHECK(bag->application == model::Properties{{"key a", "val&b=c"}});
}

TEST_CASE("bags: unescaped names, key only, empty value, plus signs, and where a bag ends") {
    CHECK(parse_property_bag("$.on=o&$.sub=s&ack=full&iothub-operation=x")->system ==
          model::Properties{{"outputName", "o"}, {"dt-subject", "s"}, {"ack", "full"}, {"operation", "x"}});
    CHECK(parse_property_bag("flag&empty=&a+b=c+d&")->application ==
          model::Properties{{"flag", std::nullopt}, {"empty", ""}, {"a+b", "c+d"}});
    CHECK(parse_property_bag("a=1/b=2")->application == model::Properties{{"a", "1"}});
    CHECK(parse_property_bag("")->application.empty());
    CHECK(parse_property_bag("%24.on=out1/")->system == model::Properties{{"outputName", "out1"}});
    CHECK(parse_property_bag("a=%zz")->application == model::Properties{{"a", "%zz"}});
}

TEST_CASE("who a message comes from is the hub's to say, not the client's") {
    const std::string_view text = "%24.cdid=d&%24.cmid=m&%24.on=o";
    CHECK(parse_property_bag(text, Direction::to_hub)->application ==
          model::Properties{{"$.cdid", "d"}, {"$.cmid", "m"}});
    CHECK(parse_property_bag(text, Direction::to_client)->system ==
          model::Properties{{"connectionDeviceId", "d"}, {"connectionModuleId", "m"}});
}

TEST_CASE("a broken bag is refused") {
    for (const auto* bad : {"=v", "&a=1", "a=1&&b=2", "a=1=2", "a=%ff", "%c3=1", "a&=b"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_property_bag(bad));
    }
}

TEST_CASE(
    "a bag to a client names the sender and never the output; a twin notification goes under its subject's name") {
    model::Message message;
    message.properties = {{"key a", "val&b=c"}, {"flag", std::nullopt}};
    message.system = {{"outputName", "o"},
                      {"messageId", "1"},
                      {"connectionDeviceId", "d"},
                      {"connectionModuleId", "$edgeHub"},
                      {"enqueuedTime", "x"}};
    CHECK(format_property_bag(message, Direction::to_client) ==
          "%24.mid=1&%24.cdid=d&%24.cmid=%24edgeHub&key%20a=val%26b%3Dc&flag");
    CHECK(format_property_bag(message, Direction::to_hub) == "%24.on=o&%24.mid=1&key%20a=val%26b%3Dc&flag");
    message.system.emplace_back("rpSenderDeviceId", "leaf");
    message.system.emplace_back("rpSenderModuleId", "mod");
    CHECK(format_property_bag(message, Direction::to_client) ==
          "%24.mid=1&%24.cdid=leaf&%24.cmid=mod&key%20a=val%26b%3Dc&flag");
    CHECK(format_property_bag({}, Direction::to_client).empty());
}

TEST_CASE("any properties survive the way through a bag, in both directions") {
    const auto ascii = rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
    const auto name = rc::gen::map(ascii, [](const std::string& s) { return "n" + s + "ü/=&"; });
    const auto value = rc::gen::maybe(rc::gen::map(ascii, [](const std::string& s) { return s + "%"; }));
    const auto system_name =
        rc::gen::element<std::string>("messageId", "cid", "contentType", "to", "userId", "dt-subject");
    CHECK(rc::check("bags round-trip", [&] {
        model::Message message;
        for (const auto& [n, v] : *rc::gen::container<std::vector<std::pair<std::string, rc::Maybe<std::string>>>>(
                 rc::gen::pair(name, value)))
            message.properties.emplace_back(n, v ? std::optional<std::string>(*v) : std::nullopt);
        for (const auto& n : *rc::gen::container<std::set<std::string>>(system_name))
            message.set_system_property(n, *ascii);
        for (const auto direction : {Direction::to_hub, Direction::to_client}) {
            const auto bag = parse_property_bag(format_property_bag(message, direction), direction);
            RC_ASSERT(bag.has_value());
            RC_ASSERT(bag->application == message.properties);
            const auto sorted = [](const model::Properties& properties) {
                std::vector<std::pair<std::string_view, std::optional<std::string_view>>> all;
                for (const auto property : properties) all.emplace_back(property.name, property.value);
                std::ranges::sort(all);
                return all;
            };
            RC_ASSERT(sorted(bag->system) == sorted(message.system));
        }
    }));
}

TEST_CASE("telemetry topics name the sender and carry properties, with or without slashes at the end") {
    const auto full = client_topic<TelemetryTopic>("devices/dev1/messages/events/" + std::string(recorded_bag));
    CHECK(full.identity.id() == "dev1");
    CHECK(full.properties.system.size() == 5);
    for (const auto* topic :
         {"devices/d/messages/events", "devices/d/messages/events/", "devices/d/messages/events//"}) {
        CAPTURE(topic);
        CHECK(client_topic<TelemetryTopic>(topic).properties.application.empty());
    }
    const auto output = client_topic<TelemetryTopic>("devices/dev1/modules/modA/messages/events/%24.on=out1/");
    CHECK(output.identity.id() == "dev1/modA");
    CHECK(output.properties.system == model::Properties{{"outputName", "out1"}});
}

TEST_CASE("twin requests and method responses are read") {
    CHECK(client_topic<TwinGetTopic>("$iothub/twin/GET/?$rid=a%20b").request_id == "a%20b");
    CHECK(client_topic<TwinReportTopic>("$iothub/twin/PATCH/properties/reported/?$rid=1&$version=7").request_id == "1");
    CHECK(client_topic<TwinReportTopic>("$iothub/twin/PATCH/properties/reported/").request_id.empty());
    CHECK(client_topic<TwinReportTopic>("$iothub/twin/PATCH/properties/reported/?").request_id.empty());
    const auto response = client_topic<MethodResponseTopic>("$iothub/methods/res/200/?$rid=7");
    CHECK(response.status == 200);
    CHECK(response.request_id == "7");
    CHECK(client_topic<MethodResponseTopic>("$iothub/methods/res/fine/?$rid=7").status == 400000);
    CHECK(client_topic<MethodResponseTopic>("$iothub/methods/res//?$rid=7").status == 400000);
}

TEST_CASE("a client's topic that means nothing is refused") {
    for (const auto* bad : {"",
                            "x",
                            "devices/",
                            "devices//messages/events",
                            "devices/d",
                            "devices/d/messages",
                            "devices/d/messages/eventsx",
                            "devices/d/messages/events/a=1/b=2",
                            "devices/d/messages/events///",
                            "devices/d/messages/devicebound",
                            "devices/d/modules//messages/events",
                            "devices/a b/messages/events",
                            "x/devices/d/messages/events",
                            "devices/d/modules/m/inputs/i",
                            "devices/d/messages/events/=1",
                            "$iothub/twin/GET/",
                            "$iothub/twin/GET/?$rid=",
                            "$iothub/twin/GET/?$rid=1&$rid=2",
                            "$iothub/twin/GET/more/?$rid=1",
                            "$iothub/twin/POST/?$rid=1",
                            "$iothub/twin/PATCH/properties/desired/?$rid=1",
                            "$iothub/twin/PATCH/properties/reported/x/?$rid=1",
                            "$iothub/methods/res/200/",
                            "$iothub/methods/res/200/x/?$rid=1",
                            "$iothub/methods/POST/m/?$rid=1"}) {
        CAPTURE(bad);
        const auto topic = parse_client_topic(bad);
        REQUIRE_FALSE(topic);
        CHECK(topic.error().code == Errc::malformed);
    }
}

TEST_CASE("what a hub publishes is what a client reads") {
    const auto module = identity("dev1/modA");
    model::Message message;
    message.properties = {{"a", "1"}};
    message.system = {{"connectionDeviceId", "dev1"}};

    CHECK(input_topic(module, "in1", message) == "devices/dev1/modules/modA/inputs/in1/%24.cdid=dev1&a=1");
    const auto input = hub_topic<InputTopic>(input_topic(module, "in1", message));
    CHECK(input.input == "in1");
    CHECK(input.properties.application == message.properties);
    CHECK(input.properties.system == message.system);
    CHECK(hub_topic<InputTopic>(input_topic(module, "in1", {})).input == "in1");

    message.set_system_property("to", "/devices/dev1/messages/deviceBound");
    const auto bound = cloud_to_device_topic(identity("dev1"), message);
    CHECK(bound ==
          "devices/dev1/messages/devicebound/%24.to=%2Fdevices%2Fdev1%2Fmessages%2FdeviceBound&%24.cdid=dev1&a=1");
    CHECK(hub_topic<CloudToDeviceTopic>(bound).properties.application == message.properties);

    const auto response = hub_topic<TwinResponseTopic>(twin_response_topic(204, "r1", 5));
    CHECK(response.status == 204);
    CHECK(response.request_id == "r1");
    CHECK(response.version == 5);
    CHECK(twin_response_topic(200, "1") == "$iothub/twin/res/200/?$rid=1");
    CHECK_FALSE(hub_topic<TwinResponseTopic>(twin_response_topic(200, "1")).version);

    CHECK(desired_patch_topic(12) == "$iothub/twin/PATCH/properties/desired/?$version=12");
    CHECK(hub_topic<DesiredPatchTopic>(desired_patch_topic(12)).version == 12);
    CHECK_FALSE(hub_topic<DesiredPatchTopic>("$iothub/twin/PATCH/properties/desired/").version);

    const auto method = hub_topic<MethodRequestTopic>(method_request_topic("reboot", "42"));
    CHECK(method.method == "reboot");
    CHECK(method.request_id == "42");
}

TEST_CASE("what a client publishes is what a hub reads") {
    model::Message message;
    message.properties = {{"a", "1"}};
    message.system = {{"outputName", "out"}};
    const auto topic = telemetry_topic(identity("d/m"), message);
    CHECK(topic == "devices/d/modules/m/messages/events/%24.on=out&a=1");
    const auto telemetry = client_topic<TelemetryTopic>(topic);
    CHECK(telemetry.identity == identity("d/m"));
    CHECK(telemetry.properties.system == message.system);
    CHECK(telemetry_topic(identity("d"), {}) == "devices/d/messages/events/");
    CHECK(client_topic<TwinGetTopic>(twin_get_topic("7")).request_id == "7");
    CHECK(client_topic<TwinReportTopic>(twin_report_topic("8")).request_id == "8");
    CHECK(client_topic<MethodResponseTopic>(method_response_topic(501, "9")).status == 501);
}

TEST_CASE("a name that would break its topic is encoded instead") {
    CHECK(method_request_topic("a/b#c+d?e\n", "1") == "$iothub/methods/POST/a%2Fb%23c%2Bd%3Fe%0A/?$rid=1");
    CHECK(input_topic(identity("d/m"), "a/b+", {}) == "devices/d/modules/m/inputs/a%2Fb%2B");
}

TEST_CASE("a hub's topic that means nothing is refused") {
    for (const auto* bad :
         {"", "devices/d/messages/events", "devices/d/modules/m/inputs/", "devices/d/modules/m/inputs",
          "$iothub/twin/res/", "$iothub/twin/res/ok/?$rid=1", "$iothub/methods/POST//?$rid=1",
          "$iothub/methods/POST/m/", "devices/d/messages/deviceboundx", "$iothub/twin/PATCH/properties/desired/x",
          "devices/d/messages/devicebound/a=1/b"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_hub_topic(bad));
    }
}

TEST_CASE("a filter's shape says what it asks for") {
    using enum Subscription;
    const std::pair<std::string_view, Subscription> cases[] = {
        {"$iothub/methods/POST/#", methods},
        {"$iothub/twin/PATCH/properties/desired/#", desired_properties},
        {"devices/d/messages/devicebound/#", cloud_to_device},
        {"$iothub/twin/res/#", twin_responses},
        {"devices/d/modules/m/#", module_inputs},
        {"devices/d/modules/m/inputs/#", module_inputs},
        {"$iothub/twin/res/200/#", unknown},
        {"devices/d/modules/#", unknown},
        {"devices//modules/m/#", unknown},
        {"devices/d/modules/m/inputs/+", unknown},
        {"devices/d/messages/events/#", unknown},
        {"#", unknown},
        {"", unknown},
    };
    for (const auto& [filter, expected] : cases) {
        CAPTURE(filter);
        CHECK(classify_filter(filter) == expected);
    }
    for (const auto kind : {methods, desired_properties, cloud_to_device, twin_responses, module_inputs})
        CHECK(classify_filter(filter_of(kind, identity("d/m"))) == kind);
    CHECK(filter_of(module_inputs, identity("d/m")) == "devices/d/modules/m/inputs/#");
    CHECK(filter_of(unknown, identity("d")).empty());
}
