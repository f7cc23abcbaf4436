#include "agent/methods.hpp"

#include "agent/logs/bundle.hpp"
#include "agent/logs/collect.hpp"
#include "agent/logs/line.hpp"
#include "base/encoding.hpp"
#include "base/timeout.hpp"

#include <fmt/core.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <array>
#include <string_view>
#include <utility>

namespace skerry::agent {

namespace json = boost::json;

namespace {

constexpr std::size_t most_readers = 10;
constexpr std::size_t longest_answer = 128 * 1024;  // the hub takes no more

std::unexpected<Refusal> refuse(int status, std::string text) {
    return std::unexpected(Refusal{.status = status, .text = std::move(text)});
}

iothub::MethodResponse response_of(const Refusal& refusal) {
    return {.status = refusal.status, .payload = json::serialize(json::object{{"message", as_utf8(refusal.text)}})};
}

}  // namespace

struct Methods::Method {
    std::string_view name;
    Handler handler;
};

std::span<const Methods::Method> Methods::all() {
    static constexpr std::array<Method, 6> methods{{{"ping", &Methods::ping},
                                                    {"RestartModule", &Methods::restart_module},
                                                    {"GetModuleLogs", &Methods::get_module_logs},
                                                    {"UploadModuleLogs", &Methods::upload_module_logs},
                                                    {"UploadSupportBundle", &Methods::upload_support_bundle},
                                                    {"GetTaskStatus", &Methods::get_task_status}}};
    return methods;
}

Methods::Methods(Parts parts)
    : parts_(std::move(parts)), tasks_(parts_.platform.clock, parts_.platform.random, parts_.platform.executor) {}

Task<iothub::MethodResponse> Methods::answer(iothub::MethodRequest request) {
    std::string names;
    for (const auto& method : all()) {
        if (equals_ignoring_case(request.method, method.name)) {
            if (parts_.on_call) parts_.on_call(method.name);
            const auto answered = co_await (this->*method.handler)(std::move(request.payload));
            if (!answered) co_return response_of(answered.error());
            co_return iothub::MethodResponse{.status = 200, .payload = *answered};
        }
        names += (names.empty() ? "" : ",") + std::string(method.name);
    }
    co_return response_of(
        {.status = 400,
         .text = fmt::format("Command '{}' not found. The supported commands are - {}", request.method, names)});
}

Task<Answer<std::string>> Methods::ping(std::string) { co_return "null"; }

Task<Answer<std::string>> Methods::restart_module(std::string payload) {
    const auto asked = parse_method_payload(payload);
    if (!asked) co_return std::unexpected(asked.error());
    const auto module = required_text(*asked, "id");
    if (!module) co_return std::unexpected(module.error());
    if (!parts_.knows(*module))
        co_return refuse(500, fmt::format("Module {} not found in the current environment", *module));
    const auto restarted = co_await parts_.runtime.restart(*module);
    if (!restarted) co_return refuse(500, restarted.error().text);
    co_return "null";
}

Task<Answer<std::string>> Methods::get_module_logs(std::string payload) {
    const auto asked = parse_method_payload(payload);
    if (!asked) co_return std::unexpected(asked.error());
    auto request = parse_log_request(*asked);
    if (!request) co_return std::unexpected(std::move(request).error());
    if (reading_ >= most_readers) co_return refuse(500, "too many logs are being read; ask again later");
    struct Reading {
        std::size_t& count;
        ~Reading() { --count; }
    };
    const Reading reading{++reading_};
    auto logs =
        co_await with_timeout<Answer<std::string>>(parts_.platform.clock, longest_task, read_logs(std::move(*request)));
    if (!logs) co_return refuse(500, "reading the logs: " + logs.error().text);
    co_return std::move(*logs);
}

Task<Result<Answer<std::string>>> Methods::read_logs(LogRequest request) {
    const auto logs = co_await get_logs(parts_.logs, parts_.facts, std::move(request));
    if (!logs) co_return Answer<std::string>(std::unexpected(logs.error()));
    auto answer = json::serialize(*logs);
    if (answer.size() > longest_answer)
        co_return Answer<std::string>(
            refuse(400, "The logs are too large for an answer; ask for less, or use UploadModuleLogs"));
    co_return Answer<std::string>(std::move(answer));
}

Task<Answer<std::string>> Methods::upload_module_logs(std::string payload) {
    const auto asked = parse_method_payload(payload);
    if (!asked) co_return std::unexpected(asked.error());
    auto request = parse_log_request(*asked);
    if (!request) co_return std::unexpected(std::move(request).error());
    auto target = target_of(*asked);
    if (!target) co_return std::unexpected(std::move(target).error());
    co_return begin("upload logs", upload_logs(parts_.logs, parts_.facts, std::move(target->storage),
                                               std::move(target->place), std::move(*request)));
}

Task<Answer<std::string>> Methods::upload_support_bundle(std::string payload) {
    const auto asked = parse_method_payload(payload);
    if (!asked) co_return std::unexpected(asked.error());
    auto options = parse_bundle_request(*asked);
    if (!options) co_return std::unexpected(std::move(options).error());
    auto target = target_of(*asked);
    if (!target) co_return std::unexpected(std::move(target).error());
    co_return begin("upload support bundle", upload_bundle(parts_.logs, parts_.facts, std::move(target->storage),
                                                           std::move(target->place), std::move(*options)));
}

Answer<Methods::Target> Methods::target_of(const json::object& asked) const {
    const auto url = required_text(asked, "sasUrl");
    if (!url) return std::unexpected(url.error());
    auto place = parse_sas_url(*url, parts_.facts.parent_host);
    if (!place) return refuse(400, place.error().text);
    const auto& platform = parts_.platform;
    Blob::Parts storage{platform.network, platform.clock, platform.random, parts_.storage()};
    if (place->tls && !storage.tls) return refuse(500, "the trust bundle has not been read yet; ask again later");
    return Target{std::move(*place), std::move(storage)};
}

Answer<std::string> Methods::begin(std::string operation, Task<Result<>> work) {
    const auto id = tasks_.start(std::move(operation), std::move(work));
    if (!id) return refuse(500, id.error().text);
    return json::serialize(tasks_.status(*id));
}

Task<Answer<std::string>> Methods::get_task_status(std::string payload) {
    const auto asked = parse_method_payload(payload);
    if (!asked) co_return std::unexpected(asked.error());
    const auto id = required_text(*asked, "correlationId");
    if (!id) co_return std::unexpected(id.error());
    co_return json::serialize(tasks_.status(*id));
}

}  // namespace skerry::agent
