#include "base/descriptor.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <unistd.h>

namespace skerry {

namespace asio = boost::asio;

struct Descriptor::State {
    explicit State(const Executor& executor) : descriptor(executor) {}
    asio::posix::stream_descriptor descriptor;
};

Result<Descriptor> Descriptor::adopt(const Executor& executor, int descriptor) {
    auto state = std::make_unique<State>(executor);
    boost::system::error_code failed;
    state->descriptor.assign(descriptor, failed);
    if (failed) {
        ::close(descriptor);
        return fail(system_error("watching a file descriptor", failed.value()));
    }
    return Descriptor(std::move(state));
}

Descriptor::Descriptor(std::unique_ptr<State> state) : state_(std::move(state)) {}
Descriptor::~Descriptor() = default;
Descriptor::Descriptor(Descriptor&&) noexcept = default;
Descriptor& Descriptor::operator=(Descriptor&&) noexcept = default;

Task<> Descriptor::wait_readable() {
    co_await state_->descriptor.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
}

int Descriptor::get() const { return state_->descriptor.native_handle(); }

}  // namespace skerry
