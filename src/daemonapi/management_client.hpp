// The daemon's management API as the agent and the command line use it (agent-and-daemon.md 5.3).
//
// Promises: an error carries the daemon's own words; its code: malformed (400, 415, 422), unauthorized (401, 403),
//           not_found, timeout, conflict, full (429), unreachable (no daemon, 502, 503), io (any other answer).
//           Calls that may fetch an image or stop a module wait up to 300 s, all others 60 s.
//           wait_change is a conditional GET (RFC 9110, 13.1.2) that prefers to wait (RFC 7240, 4.3), so that a daemon
//           which knows neither just answers.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "daemonapi/shapes.hpp"
#include "model/module.hpp"
#include "net/http.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::daemonapi {

inline constexpr std::string_view api_version = "2022-08-03";

struct LogOptions {
    bool follow{false};
    std::string tail;  // number or "all"; empty: all
    std::string since;
    std::string until;
    bool timestamps{false};
};

struct SupportBundleOptions {
    std::string since;  // as in LogOptions
    std::string until;
    bool edge_runtime_only{false};
};

struct ModuleList {
    std::vector<model::ModuleStatus> modules;
    std::string tag;  // of this very list; empty: the daemon (an older one) can't tell when it changes
};

class ManagementClient {
public:
    // `uri` is unix:///path.
    [[nodiscard]] static Result<std::unique_ptr<ManagementClient>> create(net::Network& network, Clock& clock,
                                                                          std::string_view uri);

    [[nodiscard]] Task<Result<ModuleList>> list_modules();
    // Waits, `at_most` 60 s, until the list is another one than that of `tag`. False: it is still the same.
    [[nodiscard]] Task<Result<bool>> wait_change(std::string tag, Duration at_most);
    [[nodiscard]] Task<Result<>> create_module(const model::ModuleSpec& spec);
    [[nodiscard]] Task<Result<>> update_module(const model::ModuleSpec& spec, bool start);
    [[nodiscard]] Task<Result<>> prepare_update(const model::ModuleSpec& spec);
    [[nodiscard]] Task<Result<>> start_module(std::string name);
    [[nodiscard]] Task<Result<>> stop_module(std::string name);
    [[nodiscard]] Task<Result<>> restart_module(std::string name);
    [[nodiscard]] Task<Result<>> remove_module(std::string name);
    // The engine's multiplexed log frames (8-byte heads), as they come.
    [[nodiscard]] Task<Result<>> logs(std::string name, LogOptions options,
                                      std::function<bool(std::string_view)> on_bytes);
    // The same at the taker's pace: nothing more is read while `on_bytes` waits.
    [[nodiscard]] Task<Result<>> relay_logs(std::string name, LogOptions options,
                                            std::function<Task<bool>(std::string)> on_bytes);

    [[nodiscard]] Task<Result<std::vector<IdentityEntry>>> list_identities();
    [[nodiscard]] Task<Result<IdentityEntry>> create_identity(std::string module_id);
    [[nodiscard]] Task<Result<IdentityEntry>> update_identity(std::string module_id, std::string generation_id);
    [[nodiscard]] Task<Result<>> delete_identity(std::string module_id);

    [[nodiscard]] Task<Result<boost::json::object>> system_info();
    [[nodiscard]] Task<Result<boost::json::object>> system_resources();
    // A zip archive, at the taker's pace.
    [[nodiscard]] Task<Result<>> relay_support_bundle(SupportBundleOptions options,
                                                      std::function<Task<bool>(std::string)> on_bytes);
    [[nodiscard]] Task<Result<>> reprovision();

private:
    explicit ManagementClient(std::unique_ptr<net::HttpClient> http);
    std::unique_ptr<net::HttpClient> http_;
};

}  // namespace skerry::daemonapi
