// Direct methods of $edgeAgent (agent-and-daemon.md 4.1). Names compare without case.
//
// Promises: 200 done; 400 for what is asked wrongly (unknown method, no payload, a bad filter, too large logs); 500 for
//           what could not be done. The payload is JSON.
// Bounds:   10 GetModuleLogs at a time, 600 s each; see BackgroundTasks for what goes on after its answer.
// Threads:  the loop's.
#pragma once

#include "agent/deployment.hpp"
#include "agent/logs/blob.hpp"
#include "agent/logs/request.hpp"
#include "agent/logs/source.hpp"
#include "agent/logs/tasks.hpp"
#include "agent/runtime.hpp"
#include "base/task.hpp"
#include "iothub/device_client.hpp"
#include "platform/platform.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <span>
#include <string>

namespace skerry::agent {

class Methods {
public:
    struct Parts {
        ModuleRuntime& runtime;
        LogSource& logs;
        const DeviceFacts& facts;
        Platform platform;
        std::function<bool(const std::string& module)> knows;      // whether the daemon has a module of that name
        std::function<std::shared_ptr<net::TlsClient>()> storage;  // whom to trust as a storage; nullptr: not known yet
        std::function<void(std::string_view method)> on_call{};    // one of ours; may be empty
    };
    explicit Methods(Parts parts);

    [[nodiscard]] Task<iothub::MethodResponse> answer(iothub::MethodRequest request);
    // Ends what is under way; await it before destruction.
    [[nodiscard]] Task<> close() { return tasks_.close(); }

private:
    // The answer is JSON text.
    using Handler = Task<Answer<std::string>> (Methods::*)(std::string payload);
    struct Method;
    struct Target {  // of an upload
        BlobPlace place;
        Blob::Parts storage;
    };
    [[nodiscard]] Answer<Target> target_of(const boost::json::object& asked) const;
    [[nodiscard]] static std::span<const Method> all();

    [[nodiscard]] Task<Answer<std::string>> ping(std::string payload);
    [[nodiscard]] Task<Answer<std::string>> restart_module(std::string payload);
    [[nodiscard]] Task<Answer<std::string>> get_module_logs(std::string payload);
    [[nodiscard]] Task<Answer<std::string>> upload_module_logs(std::string payload);
    [[nodiscard]] Task<Answer<std::string>> upload_support_bundle(std::string payload);
    [[nodiscard]] Task<Answer<std::string>> get_task_status(std::string payload);
    [[nodiscard]] Task<Result<Answer<std::string>>> read_logs(LogRequest request);
    [[nodiscard]] Answer<std::string> begin(std::string operation, Task<Result<>> work);

    Parts parts_;
    std::size_t reading_{0};
    BackgroundTasks tasks_;
};

}  // namespace skerry::agent
