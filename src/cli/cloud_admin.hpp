// What the commands ask of a local cloud, over its admin socket: IoT Hub's REST surface without tokens, and the event
// log.
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "net/http.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace skerry::cli {

class CloudAdmin {
public:
    CloudAdmin(net::Network& network, Clock& clock, const std::filesystem::path& socket);

    // What `skerry cloud info` prints.
    [[nodiscard]] Task<Result<boost::json::object>> info();

    // One call of the REST surface. `body` may be empty. Any status from 400 on is an error, in the cloud's own words;
    // an answer without content is null.
    [[nodiscard]] Task<Result<boost::json::value>> call(std::string method, std::string target, std::string body,
                                                        Duration limit = std::chrono::seconds(30));

    // The same for a request with headers of its own.
    [[nodiscard]] Task<Result<boost::json::value>> exchange(codec::HttpRequest request, Duration limit);
    // Changes what exists already: PUT with If-Match, so that nothing is made by mistake.
    [[nodiscard]] Task<Result<boost::json::value>> change(std::string target, std::string body);

    // The connection string of an edge device, which is made when it does not exist.
    [[nodiscard]] Task<Result<std::string>> ensure_edge_device(std::string device_id);
    [[nodiscard]] Task<Result<std::string>> connection_string(std::string device_id);
    [[nodiscard]] Task<Result<>> deploy(std::string device_id, boost::json::object content);

    // Events as JSON lines, from the log's start or its end; `follow` goes on with what comes. Ends when `on_line`
    // returns false, or the cloud ends.
    struct EventsOptions {
        bool from_start{true};
        bool follow{false};
        std::string device;  // empty: all
    };
    [[nodiscard]] Task<Result<>> events(EventsOptions options, std::function<bool(std::string_view line)> on_line);

private:
    net::HttpClient http_;
    net::HttpClient stream_;  // a followed log occupies its connection
};

}  // namespace skerry::cli
