#include "net/resolver.hpp"

#include "net/descriptor.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

namespace skerry::net {

namespace {
constexpr int most_under_way = 16;

// What the thread and the loop share. The thread writes, raises `done` and closes its end of the pipe.
struct Lookup {
    std::string host;
    std::uint16_t port{0};
    int failure{0};
    std::vector<SocketAddress> found;
    std::atomic<bool> done{false};
};

void look_up(Lookup& lookup) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* first = nullptr;
    lookup.failure = ::getaddrinfo(lookup.host.c_str(), fmt::to_string(lookup.port).c_str(), &hints, &first);
    if (lookup.failure != 0) return;
    for (const auto* entry = first; entry != nullptr; entry = entry->ai_next) {
        SocketAddress address;
        if (entry->ai_addrlen > sizeof address.storage) continue;
        std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
        address.size = entry->ai_addrlen;
        lookup.found.push_back(address);
    }
    ::freeaddrinfo(first);
}

Result<> start_thread(std::shared_ptr<Lookup> lookup, std::shared_ptr<std::atomic<int>> under_way, int done_pipe) {
    try {
        std::thread([lookup = std::move(lookup), under_way, done_pipe] {
            look_up(*lookup);
            lookup->done.store(true, std::memory_order_release);
            --*under_way;
            ::close(done_pipe);
        }).detach();
        return {};
    } catch (const std::system_error& failure) {
        --*under_way;
        ::close(done_pipe);
        return fail(Errc::full, fmt::format("starting a thread for a name look-up: {}", failure.what()));
    }
}
}  // namespace

Resolver::Resolver(Executor executor)
    : executor_(std::move(executor)), under_way_(std::make_shared<std::atomic<int>>(0)) {}

Task<Result<std::vector<SocketAddress>>> Resolver::resolve(std::string host, std::uint16_t port) {
    if (auto numeric = parse_address(host, port)) co_return std::vector{*numeric};
    std::array<int, 2> pipe{};
    if (*under_way_ >= most_under_way) co_return fail(Errc::full, "too many name look-ups are under way");
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) co_return fail(system_error("looking up a name", errno));
    auto done = Descriptor::adopt(executor_, pipe[0]);
    if (!done) {
        ::close(pipe[1]);
        co_return fail(done.error());
    }
    const auto lookup = std::make_shared<Lookup>();
    lookup->host = host;
    lookup->port = port;
    ++*under_way_;
    if (auto started = start_thread(lookup, under_way_, pipe[1]); !started) co_return fail(started.error());
    while (!lookup->done.load(std::memory_order_acquire)) {
        if (auto ready = co_await done->wait(Descriptor::Until::readable); !ready) co_return fail(ready.error());
    }
    if (lookup->failure != 0 || lookup->found.empty())
        co_return fail(Errc::unreachable,
                       fmt::format("looking up '{}': {}", host,
                                   lookup->failure != 0 ? ::gai_strerror(lookup->failure) : "no address"));
    co_return std::move(lookup->found);
}

}  // namespace skerry::net
