// For tests: a storage for blobs in a simulated world.
#pragma once

#include "agent/logs/blob.hpp"
#include "base/task_scope.hpp"
#include "sim/world.hpp"

#include <memory>
#include <utility>
#include <vector>

namespace skerry::agent::testing {

// Writes down what it is sent; answers with `statuses`, then 201.
class FakeStorage {
public:
    explicit FakeStorage(sim::World& world) : world_(world), scope_(world.executor()) {
        listener_ = std::move(world.network().listen_tcp("", 10'000).value());
        scope_.spawn("accept", accept());
    }
    std::vector<codec::HttpRequest> requests;
    std::vector<unsigned> statuses;

    [[nodiscard]] Task<> close() {
        listener_->close();
        co_await scope_.close();
    }
    [[nodiscard]] Blob::Parts parts() { return {world_.network(), world_.clock(), world_.random(), nullptr}; }
    [[nodiscard]] static BlobPlace place() {
        return parse_sas_url("http://localhost:10000/acct/logs?sv=1&sig=s%2Fcret", "").value();
    }
    [[nodiscard]] Blob blob(BlobKind kind) { return Blob(parts(), place(), "hub/d/m x.log", std::move(kind)); }

private:
    Task<> accept() {
        for (;;) {
            auto stream = co_await listener_->accept();
            if (!stream) co_return;
            scope_.spawn("serve", serve(std::move(*stream)));
        }
    }
    Task<> serve(std::unique_ptr<net::Stream> stream) {
        const net::HttpHandler handler = [this](codec::HttpRequest request, const net::Peer&) {
            return answer(std::move(request));
        };
        const net::HttpServerLimits limits{.message = {.header_bytes = 16 * 1024, .body_bytes = 8 * 1024 * 1024}};
        co_await net::serve_http(*stream, world_.clock(), handler, limits);
    }
    Task<codec::HttpResponse> answer(codec::HttpRequest request) {
        const auto at = requests.size();
        requests.push_back(std::move(request));
        co_return codec::HttpResponse{.status = at < statuses.size() ? statuses[at] : 201};
    }

    sim::World& world_;
    std::unique_ptr<net::Listener> listener_;
    TaskScope scope_;
};

}  // namespace skerry::agent::testing
