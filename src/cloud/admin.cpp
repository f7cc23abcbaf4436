#include "cloud/admin.hpp"

#include "base/log.hpp"
#include "base/timeout.hpp"

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
// A client that went away is noticed when something is written to it.
constexpr Duration sign_of_life = std::chrono::seconds(10);

// One reader of the log, as the body of a response. Lives as long as the response's function.
struct EventStream {
    EventStream(EventLog& log, std::uint64_t from, Clock& with) : reader(log, from), clock(with) {}

    EventLog::Reader reader;
    Clock& clock;
    bool follow{false};
    std::string device;  // empty: all

    [[nodiscard]] bool wants(const std::string& text) const {
        // Events are the hub's own JSON: the device's id stands after the time, before anything that a device wrote.
        return device.empty() || text.find(device) < text.find(R"("properties":)");
    }
};

Task<std::optional<std::string>> next_events(std::shared_ptr<EventStream> stream) {
    for (;;) {
        auto items = co_await stream->reader.read();
        if (!items) {
            log::error("reading the event log: {}", items.error().text);
            co_return std::nullopt;
        }
        std::string chunk;
        for (const auto& item : *items)
            if (stream->wants(item.json)) chunk += item.json + '\n';
        if (!chunk.empty()) co_return chunk;
        if (!items->empty()) continue;
        if (!stream->follow) co_return std::nullopt;
        const auto came = co_await with_timeout(stream->clock, sign_of_life, stream->reader.wait());
        if (!came && came.error().code == Errc::timeout) co_return "\n";
        if (!came) co_return std::nullopt;
    }
}
}  // namespace

Task<codec::HttpResponse> Admin::handle(codec::HttpRequest request) {
    const auto path = request.segments();
    if (path.size() == 2 && path[0] == "admin" && request.method == "GET") {
        if (path[1] == "info") co_return info();
        if (path[1] == "events") co_return events(request);
    }
    co_return co_await rest_.handle(std::move(request), Trust::owner);
}

codec::HttpResponse Admin::info() const {
    json::object body{{"hostName", hub_.host()}};
    for (const auto& policy : hub_.policies()) body[policy.name] = connection_string(hub_.host(), policy);
    body["caCertificate"] = ca_certificate_.native();
    return to_response(json_answer(body));
}

codec::HttpResponse Admin::events(const codec::HttpRequest& request) {
    const bool from_start = request.query("from").value_or("start") == "start";
    const auto from = from_start ? 1 : hub_.events().last_durable() + 1;
    const auto stream = std::make_shared<EventStream>(hub_.events(), from, clock_);
    stream->follow = request.query("follow").value_or("") == "1";
    if (const auto device = request.query("device"); device && !device->empty())
        stream->device = fmt::format(R"("deviceId":"{}")", *device);
    codec::HttpResponse response;
    response.headers.set("Content-Type", "application/jsonl");
    response.next_chunk = [stream] { return next_events(stream); };
    return response;
}

}  // namespace skerry::cloud
