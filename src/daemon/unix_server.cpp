#include "daemon/unix_server.hpp"

#include "base/log.hpp"

#include <utility>

namespace skerry::daemon {

UnixServer::UnixServer(Platform platform, std::string name, std::unique_ptr<net::Listener> listener,
                       net::HttpHandler handler, std::size_t most)
    : platform_(platform),
      name_(std::move(name)),
      listener_(std::move(listener)),
      handler_(std::move(handler)),
      most_(most),
      refused_(platform.clock),
      scope_(platform.executor) {
    scope_.spawn("accept " + name_, accept_all());
}

Task<> UnixServer::close() {
    listener_->close();
    co_await scope_.close();
}

Task<> UnixServer::accept_all() {
    for (;;) {
        auto stream = co_await listener_->accept();
        if (!stream) {
            if (stream.error().code != Errc::closed) log::error("{}: {}", name_, stream.error().text);
            co_return;
        }
        if (scope_.size() > most_) {  // this loop is one of its tasks
            if (const auto count = refused_.count())
                log::warn("{}: more than {} connections at once; {} closed", name_, most_, *count);
            continue;
        }
        scope_.spawn("serve " + name_, serve(std::move(*stream)));
    }
}

Task<> UnixServer::serve(std::unique_ptr<net::Stream> stream) {
    co_await net::serve_http(*stream, platform_.clock, handler_);
}

}  // namespace skerry::daemon
