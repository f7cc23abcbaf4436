// Messages to devices (1.8, 2.9): sent by services, received by devices over HTTPS, and the feedback on them.
#include "cloud/rest/rest.hpp"

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
constexpr Duration lock = std::chrono::seconds(60);

void put_headers(Answer& answer, const Command& command) {
    auto& headers = answer.headers;
    headers.emplace_back("ETag", fmt::format("\"{}\"", command.lock_token));
    headers.emplace_back("iothub-sequencenumber", std::to_string(command.sequence));
    headers.emplace_back("iothub-enqueuedtime", format_rfc3339(command.enqueued, 7));
    headers.emplace_back("iothub-deliverycount", std::to_string(command.delivery_count));
    const std::pair<std::string_view, std::string_view> names[] = {{"to", "iothub-to"},
                                                                   {"messageId", "iothub-messageid"},
                                                                   {"cid", "iothub-correlationid"},
                                                                   {"userId", "iothub-userid"},
                                                                   {"absolute-expiry-time", "iothub-expiry"},
                                                                   {"contentType", "iothub-contenttype"},
                                                                   {"contentEncoding", "iothub-contentencoding"}};
    for (const auto& [property, header] : names)
        if (const auto value = command.message.system_property(property)) headers.emplace_back(header, *value);
    for (const auto& [name, value] : command.message.properties)
        headers.emplace_back(name == "iothub-ack" ? std::string(name) : fmt::format("iothub-app-{}", name),
                             value.value_or(""));
}
}  // namespace

Rest::Reply Rest::send_command(const Call& call, model::Identity device) {
    if (auto allowed = co_await authorize(call, service_connect); !allowed) co_return refuse(allowed.error());
    auto message = message_of(call.request);
    const std::string ack(call.request.headers.find("iothub-ack").value_or(""));
    const auto acknowledgement = parse_acknowledgement(ack);
    if (!acknowledgement) co_return refuse(acknowledgement.error());
    if (!ack.empty()) message.properties.emplace_back("iothub-ack", ack);
    const auto put = co_await hub_.ask(
        [&](Stores& stores) { return stores.commands.put(device, std::move(message), *acknowledgement); });
    if (!put) co_return refuse(put.error());
    hub_.connections().commands_wait(device);
    co_return no_content();
}

Rest::Reply Rest::receive_command(const Call& call, model::Identity device) {
    if (auto allowed = co_await authorize(call, device_connect, {device}); !allowed) co_return refuse(allowed.error());
    const auto commands = co_await hub_.ask([&](Stores& stores) { return stores.commands.receive(device, 1, lock); });
    if (!commands) co_return refuse(commands.error());
    if (commands->empty()) co_return no_content();
    Answer answer{.status = 200, .body = commands->front().message.body};
    put_headers(answer, commands->front());
    co_return answer;
}

// DELETE …/{lock}[?reject] and POST …/{lock}/abandon.
Rest::Reply Rest::settle_command(const Call& call, model::Identity device) {
    if (auto allowed = co_await authorize(call, device_connect, {device}); !allowed) co_return refuse(allowed.error());
    const auto& path = call.path;
    const auto& token = path[4];
    const bool abandons = path.size() == 6 && path[5] == "abandon" && call.is("POST");
    if (!abandons && (path.size() != 5 || !call.is("DELETE"))) co_return refuse(wrong_method(call.request));
    const bool rejects = call.request.query("reject").has_value();
    const auto settled = co_await hub_.ask([&](Stores& stores) {
        if (abandons) return stores.commands.abandon(device, token);
        return rejects ? stores.commands.reject(device, token) : stores.commands.complete(device, token);
    });
    if (!settled) co_return refuse(settled.error());
    if (abandons) hub_.connections().commands_wait(device);
    co_return no_content();
}

Rest::Reply Rest::on_commands(const Call& call, model::Identity device) {
    if (call.path.size() > 4) co_return co_await settle_command(call, std::move(device));
    if (call.is("POST")) co_return co_await send_command(call, std::move(device));
    if (call.is("GET")) co_return co_await receive_command(call, std::move(device));
    co_return refuse(wrong_method(call.request));
}

Rest::Reply Rest::purge_commands(const Call& call, model::Identity device) {
    if (auto allowed = co_await authorize(call, service_connect); !allowed) co_return refuse(allowed.error());
    if (!call.is("DELETE")) co_return refuse(wrong_method(call.request));
    const auto purged = co_await hub_.ask([&](Stores& stores) -> Outcome<std::int64_t> {
        if (const auto known = stores.registry.find(device); !known) return refuse(known.error());
        return stores.commands.purge(device);
    });
    if (!purged) co_return refuse(purged.error());
    co_return json_answer(
        json::object{{"totalMessagesPurged", *purged}, {"deviceId", device.device_id()}, {"moduleId", nullptr}});
}

// /messages/serviceBound/feedback[/{lock}[/abandon]]
Rest::Reply Rest::on_feedback(const Call& call) {
    if (auto allowed = co_await authorize(call, service_connect); !allowed) co_return refuse(allowed.error());
    const auto& path = call.path;
    if (path.size() == 3 && call.is("GET")) {
        const auto feedback = co_await hub_.ask([](Stores& stores) { return stores.commands.receive_feedback(); });
        if (!feedback) co_return refuse(feedback.error());
        if (feedback->records.empty()) co_return no_content();
        auto answer = json_answer(feedback->records);
        answer.headers.emplace_back("ETag", fmt::format("\"{}\"", feedback->lock_token));
        co_return answer;
    }
    const bool abandons = path.size() == 5 && path[4] == "abandon" && call.is("POST");
    if (!abandons && (path.size() != 4 || !call.is("DELETE"))) co_return refuse(wrong_method(call.request));
    const auto settled = co_await hub_.ask([&](Stores& stores) {
        return abandons ? stores.commands.abandon_feedback(path[3]) : stores.commands.complete_feedback(path[3]);
    });
    if (!settled) co_return refuse(settled.error());
    co_return no_content();
}

}  // namespace skerry::cloud
