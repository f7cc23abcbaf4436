// The management API (agent-and-daemon.md 5.3): modules, identities, the machine.
//
// Promises: routes that change what runs or who exists are the agent's alone: the caller must be a process of the
//           agent. Start, stop, restart and everything that only reads is open to whoever may open the socket.
//           GET /modules with If-None-Match (an ETag of ours) and `Prefer: wait=N` is answered when the list has become
//           another one, or with 304 after N seconds (60 at most).
// Bounds:   16 callers wait at once; others are answered without waiting.
#pragma once

#include "base/event.hpp"
#include "daemon/cpu_use.hpp"
#include "daemon/http_api.hpp"
#include "daemon/identities.hpp"
#include "daemon/modules.hpp"

#include <array>
#include <memory>

namespace skerry::daemon {

class ManagementApi {
public:
    // `reprovision` is set when a caller asks for a new start.
    ManagementApi(Platform platform, const Config& config, Modules& modules, Identities& identities, AgentTrial& trial,
                  Event& reprovision);

    [[nodiscard]] Task<codec::HttpResponse> handle(codec::HttpRequest request, std::optional<pid_t> caller);
    [[nodiscard]] bool is_agent(pid_t caller) const;
    // Waits for work that goes on after its answer.
    [[nodiscard]] Task<> close() { co_await scope_.close(); }

    Task<codec::HttpResponse> list_modules(Call call);
    Task<codec::HttpResponse> create_module(Call call);
    Task<codec::HttpResponse> get_module(Call call);
    Task<codec::HttpResponse> update_module(Call call);
    Task<codec::HttpResponse> delete_module(Call call);
    Task<codec::HttpResponse> start_module(Call call);
    Task<codec::HttpResponse> stop_module(Call call);
    Task<codec::HttpResponse> restart_module(Call call);
    Task<codec::HttpResponse> module_logs(Call call);
    Task<codec::HttpResponse> prepare_update(Call call);
    Task<codec::HttpResponse> list_identities(Call call);
    Task<codec::HttpResponse> create_identity(Call call);
    Task<codec::HttpResponse> update_identity(Call call);
    Task<codec::HttpResponse> delete_identity(Call call);
    Task<codec::HttpResponse> system_info(Call call);
    Task<codec::HttpResponse> system_resources(Call call);
    Task<codec::HttpResponse> support_bundle(Call call);
    Task<codec::HttpResponse> reprovision(Call call);

private:
    Task<> update_later(model::ModuleSpec spec, bool start);
    Task<Result<codec::HttpResponse>> module_list();
    Task<codec::HttpResponse> details(std::string name, unsigned status);

    Platform platform_;
    const Config& config_;
    Modules& modules_;
    Identities& identities_;
    AgentTrial& trial_;
    Event& reprovision_;
    SteadyTime started_;
    CpuMeter processors_;
    std::array<std::weak_ptr<void>, 2> bundles_;  // that are being sent
    std::size_t waiting_{0};                      // for another list of modules
    TaskScope scope_;
};

}  // namespace skerry::daemon
