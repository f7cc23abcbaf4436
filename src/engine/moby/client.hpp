// The Docker Engine API over its unix socket, one function per endpoint used (version 1.41 where the engine has it).
//
// Promises: an error carries the engine's own message; its code is Errc::unreachable when the engine is not there.
//           Names are percent-encoded, so that no name reaches another endpoint.
// Bounds:   8 MB for an answer that is taken as a whole; every such call has a limit of time.
// Threads:  the loop's.
#pragma once

#include "engine/engine.hpp"
#include "engine/moby/pull_progress.hpp"
#include "engine/moby/shapes.hpp"
#include "net/http.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine::moby {

class Client {
public:
    Client(net::Network& network, Clock& clock, std::filesystem::path socket);

    // Finds out which version to speak. First of all, and after each restart of the engine.
    [[nodiscard]] Task<Result<Version>> connect();
    [[nodiscard]] Task<Result<EngineInfo>> info();

    // POST /networks/create, unless there is one of that name. `settings` beside Name.
    [[nodiscard]] Task<Result<>> ensure_network(std::string name, boost::json::object settings);

    // Waits for the end of the download, for ever as long as something arrives. `on_progress` gets each step.
    [[nodiscard]] Task<Result<>> pull(std::string image, boost::json::object auth,
                                      std::function<void(const PullProgress&)> on_progress);
    // By name or id. Errc::not_found when the engine does not have it.
    [[nodiscard]] Task<Result<Image>> find_image(std::string name);
    // All but intermediate ones.
    [[nodiscard]] Task<Result<std::vector<Image>>> images();
    // Takes the name away; with its last name, or by its id, the image goes. Nothing is forced.
    [[nodiscard]] Task<Result<>> remove_image(std::string name);
    // The ids of the images of all containers, ours or not.
    [[nodiscard]] Task<Result<std::vector<std::string>>> images_in_use();

    // Without a name the engine gives one.
    [[nodiscard]] Task<Result<Created>> create(std::string name, boost::json::object body);
    [[nodiscard]] Task<Result<>> start(std::string id);
    [[nodiscard]] Task<Result<>> unpause(std::string id);
    [[nodiscard]] Task<Result<>> stop(std::string id, Duration grace);
    // By id, as all that follows. Kills it if it runs; its anonymous volumes go, too.
    [[nodiscard]] Task<Result<>> remove(std::string name);
    [[nodiscard]] Task<Result<Container>> inspect(std::string name);
    // The same as the engine says it, whole.
    [[nodiscard]] Task<Result<boost::json::object>> describe(std::string id);
    // Likewise every network, ours or not: 100 at most.
    [[nodiscard]] Task<Result<boost::json::array>> describe_networks();
    // All of ours, running or not.
    [[nodiscard]] Task<Result<std::vector<ListedContainer>>> containers();
    // Whoever's they are.
    [[nodiscard]] Task<Result<std::vector<ListedContainer>>> containers_with(std::string label);
    [[nodiscard]] Task<Result<boost::json::object>> statistics(std::string name);

    // The body as the engine sends it, until the end or until `on_piece` returns false.
    [[nodiscard]] Task<Result<>> logs(std::string name, LogOptions options,
                                      std::function<Task<bool>(std::string)> on_piece);
    // Events of our containers since then, until the connection ends, which is always an error.
    [[nodiscard]] Task<Result<>> events(WallTime since, std::function<void(const ContainerEvent&)> on_event);

private:
    [[nodiscard]] Task<Result<codec::HttpResponse>> call(std::string method, std::string target,
                                                         boost::json::object body, Duration limit);
    [[nodiscard]] Task<Result<codec::HttpResponse>> get(std::string target);
    [[nodiscard]] codec::HttpRequest request(std::string method, std::string_view target) const;
    [[nodiscard]] Error unreachable(const Error& error) const;

    Clock& clock_;
    std::filesystem::path socket_;
    net::HttpClient http_;
    std::string prefix_{"/v1.41"};
};

}  // namespace skerry::engine::moby
