#include "engine/moby/client.hpp"

#include "base/encoding.hpp"
#include "base/timeout.hpp"
#include "engine/moby/fields.hpp"
#include "engine/moby/json_lines.hpp"
#include "model/twin.hpp"

#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <memory>
#include <utility>

namespace skerry::engine::moby {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {
constexpr std::size_t largest_answer = 8 * 1024 * 1024;
constexpr std::size_t most_networks = 100;
constexpr Duration usual_limit = 60s;
constexpr Duration stall_limit = 10min;

// As Go's decoder wants it: base64 in the alphabet for URLs, padded.
std::string registry_auth(const json::object& auth) {
    auto text = base64_encode(json::serialize(auth));
    for (auto& c : text) {
        if (c == '+') c = '-';
        if (c == '/') c = '_';
    }
    return text;
}

// An image's name as a part of a path: its slashes are the path's.
std::string image_path(std::string_view name) {
    std::string out;
    for (;;) {
        const auto slash = name.find('/');
        out += percent_encode(name.substr(0, slash));
        if (slash == name.npos) return out;
        out += '/';
        name.remove_prefix(slash + 1);
    }
}

std::string container_path(std::string_view name, std::string_view rest) {
    return fmt::format("/containers/{}{}", percent_encode(name), rest);
}

std::string epoch_text(WallTime time) {
    const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
    constexpr std::int64_t second = 1'000'000'000;
    return fmt::format("{}.{:09}", nanoseconds / second, std::max<std::int64_t>(0, nanoseconds % second));
}

std::string our_filter(json::object more = {}) {
    more["label"] = json::array{fmt::format("{}={}", owner_label, owner_value)};
    return percent_encode(json::serialize(more));
}

std::unexpected<Error> refused(const codec::HttpResponse& response) {
    auto message = message_of(response.body);
    if (message.empty()) message = fmt::format("the engine answered {}", response.status);
    return fail(code_of(response.status), std::move(message));
}

Result<> done(const Result<codec::HttpResponse>& response) {
    if (!response) return std::unexpected(response.error());
    return {};
}
}  // namespace

Client::Client(net::Network& network, Clock& clock, std::filesystem::path socket)
    : clock_(clock),
      socket_(std::move(socket)),
      http_(clock, net::unix_connector(network, socket_), codec::HttpLimits{.body_bytes = largest_answer}, "docker") {}

codec::HttpRequest Client::request(std::string method, std::string_view target) const {
    codec::HttpRequest out;
    out.method = std::move(method);
    out.target = prefix_ + std::string(target);
    return out;
}

Error Client::unreachable(const Error& error) const {
    if (error.code != Errc::unreachable && error.code != Errc::timeout) return error;
    return {error.code,
            fmt::format("the container engine at unix://{} does not answer: {}", socket_.native(), error.text)};
}

Task<Result<codec::HttpResponse>> Client::call(std::string method, std::string target, json::object body,
                                               Duration limit) {
    auto asked = request(std::move(method), target);
    if (!body.empty()) {
        asked.headers.set("Content-Type", "application/json");
        asked.body = json::serialize(body);
    }
    auto response = co_await http_.exchange(std::move(asked), limit);
    if (!response) co_return fail(unreachable(response.error()));
    if (response->status >= 400) co_return refused(*response);
    co_return response;
}

Task<Result<codec::HttpResponse>> Client::get(std::string target) {
    return call("GET", std::move(target), {}, usual_limit);
}

Task<Result<Version>> Client::connect() {
    codec::HttpRequest asked;
    asked.target = "/version";  // answered without a version in front, by every version
    const auto response = co_await http_.exchange(std::move(asked), usual_limit);
    if (!response) co_return fail(unreachable(response.error()));
    if (response->status >= 400) co_return refused(*response);
    auto version = parse_version(response->body);
    if (version) prefix_ = "/v" + api_to_speak(*version);
    co_return version;
}

Task<Result<>> Client::ensure_network(std::string name, json::object settings) {
    const json::object filter{{"name", json::array{name}}};
    const auto response = co_await get("/networks?filters=" + percent_encode(json::serialize(filter)));
    if (!response) co_return std::unexpected(response.error());
    const auto there = has_network(response->body, name);
    if (!there) co_return std::unexpected(there.error());
    if (*there) co_return Result<>{};
    settings["Name"] = name;
    settings["CheckDuplicate"] = true;
    const auto made = co_await call("POST", "/networks/create", std::move(settings), usual_limit);
    if (!made && made.error().code == Errc::conflict) co_return Result<>{};  // somebody was faster
    if (!made) co_return fail(made.error().while_doing(fmt::format("making the network '{}'", name)));
    co_return Result<>{};
}

namespace {
// What a pull and the watch over it share.
struct Pulling {
    JsonLines lines;
    PullProgress progress;
    SteadyTime last;  // something arrived
    Result<> outcome;
    std::function<void(const PullProgress&)> on_progress;

    bool take(Clock& clock, std::string_view piece) {
        last = clock.steady();
        outcome = lines.feed(piece, [this](const json::object& line) { return take_line(line); });
        return outcome.has_value();
    }
    Result<> take_line(const json::object& line) {
        auto taken = progress.take(line);
        if (taken && on_progress) on_progress(progress);
        return taken;
    }
};

Task<Result<codec::HttpResponse>> until_stalled(Clock& clock, Pulling& pulling) {
    for (;;) {
        const auto still = clock.steady() - pulling.last;
        if (still >= stall_limit) co_return fail(Errc::timeout, "nothing arrived for 10 minutes");
        co_await clock.sleep(stall_limit - still);
    }
}
}  // namespace

Task<Result<>> Client::pull(std::string image, json::object auth,
                            std::function<void(const PullProgress&)> on_progress) {
    auto asked = request("POST", "/images/create?fromImage=" + percent_encode(image));
    if (!auth.empty()) asked.headers.set("X-Registry-Auth", registry_auth(auth));
    Pulling pulling{
        .lines = {}, .progress = {}, .last = clock_.steady(), .outcome = {}, .on_progress = std::move(on_progress)};
    const auto take = [&clock = clock_, &pulling](std::string_view piece) { return pulling.take(clock, piece); };
    const auto response =
        co_await first_of<codec::HttpResponse>(http_.stream(std::move(asked), take), until_stalled(clock_, pulling));
    if (!response) co_return fail(unreachable(response.error()));
    if (response->status >= 400) {
        auto error = refused(*response).error();
        error.code = pull_code(error.text, error.code);
        co_return fail(std::move(error));
    }
    if (pulling.outcome)
        pulling.outcome = pulling.lines.finish([&](const json::object& line) { return pulling.take_line(line); });
    co_return pulling.outcome;
}

Task<Result<Image>> Client::find_image(std::string name) {
    const auto response = co_await get("/images/" + image_path(name) + "/json");
    if (!response) co_return std::unexpected(response.error());
    co_return parse_image(response->body);
}

Task<Result<std::vector<Image>>> Client::images() {
    const auto response = co_await get("/images/json");
    if (!response) co_return std::unexpected(response.error());
    co_return parse_images(response->body);
}

Task<Result<>> Client::remove_image(std::string name) {
    co_return done(co_await call("DELETE", "/images/" + image_path(name), {}, usual_limit));
}

Task<Result<std::vector<std::string>>> Client::images_in_use() {
    const auto response = co_await get("/containers/json?all=true");
    if (!response) co_return std::unexpected(response.error());
    co_return parse_images_in_use(response->body);
}

Task<Result<EngineInfo>> Client::info() {
    const auto response = co_await get("/info");
    if (!response) co_return std::unexpected(response.error());
    co_return parse_info(response->body);
}

Task<Result<Created>> Client::create(std::string name, json::object body) {
    const auto target = "/containers/create" + (name.empty() ? "" : "?name=" + percent_encode(name));
    const auto response = co_await call("POST", target, std::move(body), usual_limit);
    if (!response) {
        auto error = response.error();  // Podman answers 500 to a name that is taken
        if (error.text.find("is already in use") != std::string::npos) error.code = Errc::conflict;
        // Docker 20.10 answers 500 to options of a wrong shape.
        if (error.text.find("cannot unmarshal") != std::string::npos) error.code = Errc::malformed;
        co_return std::unexpected(std::move(error));
    }
    co_return parse_created(response->body);
}

Task<Result<>> Client::start(std::string name) {
    co_return done(co_await call("POST", container_path(name, "/start"), {}, usual_limit));
}

Task<Result<>> Client::unpause(std::string name) {
    co_return done(co_await call("POST", container_path(name, "/unpause"), {}, usual_limit));
}

Task<Result<>> Client::stop(std::string name, Duration grace) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(grace).count();
    const auto target = container_path(name, fmt::format("/stop?t={}", seconds));
    co_return done(co_await call("POST", target, {}, grace + usual_limit));
}

Task<Result<>> Client::remove(std::string name) {
    co_return done(co_await call("DELETE", container_path(name, "?v=true&force=true"), {}, usual_limit));
}

Task<Result<Container>> Client::inspect(std::string name) {
    const auto response = co_await get(container_path(name, "/json"));
    if (!response) co_return std::unexpected(response.error());
    co_return parse_container(response->body);
}

Task<Result<json::object>> Client::describe(std::string id) {
    const auto response = co_await get(container_path(id, "/json"));
    if (!response) co_return std::unexpected(response.error());
    co_return model::parse_object(response->body);
}

// The list lacks who is on a network; one that went meanwhile is left out.
Task<Result<json::array>> Client::describe_networks() {
    const auto listed = co_await get("/networks");
    if (!listed) co_return std::unexpected(listed.error());
    const auto ids = network_ids(listed->body);
    if (!ids) co_return std::unexpected(ids.error());
    json::array all;
    for (const auto& id : *ids) {
        if (all.size() == most_networks) break;
        const auto response = co_await get("/networks/" + percent_encode(id));
        if (!response && response.error().code == Errc::not_found) continue;
        if (!response) co_return std::unexpected(response.error());
        auto network = model::parse_object(response->body);
        if (!network) co_return std::unexpected(network.error());
        all.push_back(std::move(*network));
    }
    co_return all;
}

Task<Result<std::vector<ListedContainer>>> Client::containers() {
    const auto response = co_await get("/containers/json?all=true&filters=" + our_filter());
    if (!response) co_return std::unexpected(response.error());
    co_return parse_containers(response->body);
}

Task<Result<std::vector<ListedContainer>>> Client::containers_with(std::string label) {
    const json::object filter{{"label", json::array{std::move(label)}}};
    const auto response = co_await get("/containers/json?all=true&filters=" + percent_encode(json::serialize(filter)));
    if (!response) co_return std::unexpected(response.error());
    co_return parse_containers(response->body);
}

Task<Result<json::object>> Client::statistics(std::string name) {
    const auto response = co_await get(container_path(name, "/stats?stream=false&one-shot=true"));
    if (!response) co_return std::unexpected(response.error());
    co_return model::parse_object(response->body);
}

Task<Result<>> Client::logs(std::string name, LogOptions options, std::function<Task<bool>(std::string)> on_piece) {
    auto target = container_path(name, "/logs?stdout=true&stderr=true");
    target += fmt::format("&follow={}&timestamps={}&tail={}", options.follow, options.timestamps,
                          options.tail ? std::to_string(*options.tail) : "all");
    if (options.since) target += "&since=" + epoch_text(*options.since);
    if (options.until) target += "&until=" + epoch_text(*options.until);
    const auto response = co_await http_.relay(request("GET", target), std::move(on_piece));
    if (!response) co_return fail(unreachable(response.error()));
    if (response->status >= 400) co_return refused(*response);
    co_return Result<>{};
}

Task<Result<>> Client::events(WallTime since, std::function<void(const ContainerEvent&)> on_event) {
    const json::object filter{
        {"type", {"container"}},
        // Podman says "died" and "remove" of what Docker calls "die" and "destroy".
        {"event",
         {"create", "start", "die", "died", "destroy", "remove", "rename", "pause", "unpause", "health_status"}}};
    const auto target = fmt::format("/events?since={}&filters={}", epoch_text(since), our_filter(filter));
    JsonLines lines;
    Result<> outcome;
    const auto take_line = [&](const json::object& line) {
        on_event(parse_event(line));
        return Result<>{};
    };
    const auto take = [&](std::string_view piece) {
        outcome = lines.feed(piece, take_line);
        return outcome.has_value();
    };
    const auto response = co_await http_.stream(request("GET", target), take);
    if (!response) co_return fail(unreachable(response.error()));
    if (response->status >= 400) co_return refused(*response);
    if (!outcome) co_return outcome;
    co_return fail(Errc::closed, "the container engine closed the connection");
}

}  // namespace skerry::engine::moby
