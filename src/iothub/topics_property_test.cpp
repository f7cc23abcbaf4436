// Topics as properties: what one side writes the other side reads, whatever the names are.
#include "iothub/topics.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace skerry;
using namespace skerry::iothub;

namespace {
model::Identity any_identity() {
    // Every sign that an id may have.
    static const std::string signs = "abcXYZ019-:.+%_#*?!(),=@$'";
    const auto id = rc::gen::suchThat(rc::gen::container<std::string>(rc::gen::elementOf(signs)),
                                      [](const std::string& text) { return model::is_valid_id(text); });
    const auto device = *id;
    const auto module = *rc::gen::maybe(id);
    return module ? model::Identity::module(device, *module).value() : model::Identity::device(device).value();
}

// UTF-8 of any length, with what separates the parts of topics.
std::string any_text() {
    const auto parts = rc::gen::element<std::string>("a", "Z", "7", "/", "&", "=", "%", "%41", "+", "#", "?", "$", " ",
                                                     "\n", "ä", "😀", "$.mid", "~", "\x7f");
    std::string out;
    for (const auto& part : *rc::gen::container<std::vector<std::string>>(parts)) out += part;
    return out;
}

std::string any_request_id() {
    return *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::element('a', '0', '-', '%', '=', '?')));
}

model::Message any_message() {
    model::Message message;
    for (auto count = *rc::gen::inRange(0, 4); count > 0; --count) {
        const auto value = any_text();
        message.properties.emplace_back(
            "p" + any_text(), *rc::gen::arbitrary<bool>() ? std::optional<std::string_view>(value) : std::nullopt);
    }
    message.set_system_property("messageId", any_text());
    return message;
}

template <class Topic>
Topic read_as_client(const std::string& topic) {
    RC_LOG() << topic << '\n';
    const auto read = parse_hub_topic(topic);
    RC_ASSERT(read.has_value());
    RC_ASSERT(std::holds_alternative<Topic>(*read));
    return std::get<Topic>(*read);
}

template <class Topic>
Topic read_as_hub(const std::string& topic) {
    RC_LOG() << topic << '\n';
    const auto read = parse_client_topic(topic);
    RC_ASSERT(read.has_value());
    RC_ASSERT(std::holds_alternative<Topic>(*read));
    return std::get<Topic>(*read);
}

void expect_bag(const PropertyBag& bag, const model::Message& message) {
    RC_ASSERT(bag.application == message.properties);
    RC_ASSERT(bag.system == message.system);
}

bool same(const ClientTopic& a, const ClientTopic& b) {
    if (a.index() != b.index()) return false;
    if (const auto* const telemetry = std::get_if<TelemetryTopic>(&a)) {
        const auto& other = std::get<TelemetryTopic>(b);
        return telemetry->identity == other.identity &&
               telemetry->properties.application == other.properties.application;
    }
    if (const auto* const get = std::get_if<TwinGetTopic>(&a))
        return get->request_id == std::get<TwinGetTopic>(b).request_id;
    if (const auto* const report = std::get_if<TwinReportTopic>(&a))
        return report->request_id == std::get<TwinReportTopic>(b).request_id;
    const auto& answer = std::get<MethodResponseTopic>(a);
    const auto& other = std::get<MethodResponseTopic>(b);
    return answer.status == other.status && answer.request_id == other.request_id;
}

// What the hub understood, as a client would have written it.
std::string written(const ClientTopic& topic) {
    if (const auto* const telemetry = std::get_if<TelemetryTopic>(&topic)) {
        model::Message message;
        message.properties = telemetry->properties.application;
        message.system = telemetry->properties.system;
        return telemetry_topic(telemetry->identity, message);
    }
    if (const auto* const get = std::get_if<TwinGetTopic>(&topic)) return twin_get_topic(get->request_id);
    if (const auto* const report = std::get_if<TwinReportTopic>(&topic)) return twin_report_topic(report->request_id);
    const auto& answer = std::get<MethodResponseTopic>(topic);
    return method_response_topic(answer.status, answer.request_id);
}
}  // namespace

TEST_CASE("what any client publishes, the hub reads as it was meant") {
    CHECK(rc::check("client topics round-trip", [] {
        const auto identity = any_identity();
        const auto message = any_message();
        const auto telemetry = read_as_hub<TelemetryTopic>(telemetry_topic(identity, message));
        RC_ASSERT(telemetry.identity == identity);
        expect_bag(telemetry.properties, message);

        const auto id = any_request_id();
        RC_ASSERT(read_as_hub<TwinGetTopic>(twin_get_topic(id)).request_id == id);
        RC_ASSERT(read_as_hub<TwinReportTopic>(twin_report_topic(id)).request_id == id);
        const auto status = *rc::gen::arbitrary<int>();
        const auto answer = read_as_hub<MethodResponseTopic>(method_response_topic(status, id));
        RC_ASSERT(answer.status == status);
        RC_ASSERT(answer.request_id == id);
    }));
}

TEST_CASE("what the hub publishes, any client reads as it was meant") {
    CHECK(rc::check("hub topics round-trip", [] {
        const auto identity = any_identity();
        const auto message = any_message();
        expect_bag(read_as_client<InputTopic>(input_topic(identity, "in", message)).properties, message);
        expect_bag(read_as_client<CloudToDeviceTopic>(cloud_to_device_topic(identity, message)).properties, message);

        const auto id = any_request_id();
        const auto status = *rc::gen::arbitrary<int>();
        const auto version = *rc::gen::maybe(rc::gen::arbitrary<std::int64_t>());
        const auto answer = read_as_client<TwinResponseTopic>(
            twin_response_topic(status, id, version ? std::optional(*version) : std::nullopt));
        RC_ASSERT(answer.status == status);
        RC_ASSERT(answer.request_id == id);
        RC_ASSERT(answer.version.has_value() == static_cast<bool>(version));
        if (version) RC_ASSERT(*answer.version == *version);
        const auto at = *rc::gen::arbitrary<std::int64_t>();
        RC_ASSERT(read_as_client<DesiredPatchTopic>(desired_patch_topic(at)).version == at);
        RC_ASSERT(read_as_client<MethodRequestTopic>(method_request_topic("reset", id)).request_id == id);
    }));
}

TEST_CASE("a name from a route or a caller stays one level of a topic") {
    CHECK(rc::check("inputs and methods", [] {
        const auto name = "n" + any_text();
        const auto levels = [](const std::string& topic) { return std::ranges::count(topic, '/'); };
        const auto module = model::Identity::module("d", "m").value();
        RC_ASSERT(levels(input_topic(module, name, {})) == levels(input_topic(module, "in", {})));
        RC_ASSERT(levels(method_request_topic(name, "1")) == levels(method_request_topic("reset", "1")));
        read_as_client<InputTopic>(input_topic(module, name, {}));
        read_as_client<MethodRequestTopic>(method_request_topic(name, "1"));
    }));
}

TEST_CASE("any text as a topic is refused, or means the same when it is written again") {
    const auto piece = rc::gen::element<std::string>(
        "devices/", "d", "/", "modules/", "m", "messages/events", "/", "a=1", "&", "%24.mid=x", "=", "%", "$iothub/",
        "twin/GET/", "?$rid=1", "twin/PATCH/properties/reported/", "methods/res/", "200/", "ä", "#");
    CHECK(rc::check("parse(write(parse(text))) == parse(text)", [&] {
        std::string text;
        for (const auto& part : *rc::gen::container<std::vector<std::string>>(piece)) text += part;
        const auto beginning =
            *rc::gen::element<std::string>("", "devices/d/messages/events/", "$iothub/twin/", "$iothub/methods/res/");
        const auto read = parse_client_topic(beginning + text);
        if (!read) return;
        const auto again = parse_client_topic(written(*read));
        RC_ASSERT(again.has_value());
        RC_ASSERT(same(*again, *read));
    }));
}

TEST_CASE("what a client subscribes to is recognised, whoever it is") {
    CHECK(rc::check("classify(filter_of(kind)) == kind", [] {
        const auto identity = any_identity();
        for (const auto kind : {Subscription::methods, Subscription::desired_properties, Subscription::cloud_to_device,
                                Subscription::twin_responses})
            RC_ASSERT(classify_filter(filter_of(kind, identity)) == kind);
        if (identity.is_module())
            RC_ASSERT(classify_filter(filter_of(Subscription::module_inputs, identity)) == Subscription::module_inputs);
    }));
}
