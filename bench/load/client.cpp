#include "load/client.hpp"

#include <fmt/format.h>

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <stdexcept>
#include <utility>

namespace skerry::load {

namespace wire = codec::mqtt;

namespace {
constexpr std::uint16_t keep_alive_seconds = 600;
constexpr std::size_t kept_capacity = 128 * 1024;

std::uint16_t u16_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) << 8 |
                                      static_cast<unsigned char>(bytes[at + 1]));
}

// Bytes of the fixed header and of what follows it; zeros while they are not all there.
std::pair<std::size_t, std::size_t> lengths_of(std::string_view packet) {
    std::size_t length = 0;
    for (std::size_t i = 1; i < packet.size() && i <= 4; ++i) {
        const auto digit = static_cast<unsigned char>(packet[i]);
        length |= static_cast<std::size_t>(digit & 0x7f) << (7 * (i - 1));
        if ((digit & 0x80) == 0) return {i + 1, length};
    }
    return {0, 0};
}

void clear(std::string& text) {
    text.clear();
    if (text.capacity() > kept_capacity) std::string().swap(text);
}
}  // namespace

std::int64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

Poller::Poller() : descriptor_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (descriptor_ < 0) throw std::runtime_error("epoll_create1 failed");
}
Poller::~Poller() { ::close(descriptor_); }

void Poller::add(Client& client, int descriptor) {
    epoll_event event{.events = EPOLLIN | EPOLLOUT, .data = {.ptr = &client}};
    if (::epoll_ctl(descriptor_, EPOLL_CTL_ADD, descriptor, &event) != 0) throw std::runtime_error("epoll_ctl failed");
}

void Poller::change(Client& client, int descriptor, bool writable) {
    epoll_event event{.events = EPOLLIN | (writable ? EPOLLOUT : 0U), .data = {.ptr = &client}};
    ::epoll_ctl(descriptor_, EPOLL_CTL_MOD, descriptor, &event);
}

void Poller::poll(std::int64_t nanoseconds) {
    std::array<epoll_event, 256> events{};
    const timespec limit{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
    const int count = ::epoll_pwait2(descriptor_, events.data(), static_cast<int>(events.size()), &limit, nullptr);
    if (count < 0 && errno != EINTR) throw std::runtime_error("epoll_pwait2 failed");
    for (int i = 0; i < count; ++i) static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr)->ready();
}

Client::Client(Poller& poller, const Target& target, Account account)
    : poller_(poller), target_(target), account_(std::move(account)) {}

void Client::dial() {
    hang_up();
    failure_.clear();
    socket_.dial(target_.address, target_.tls);
    if (!socket_.error().empty()) return fail(socket_.error());
    watching_writable_ = true;
    poller_.add(*this, socket_.descriptor());
}

void Client::hang_up() {
    socket_.close();
    in_.clear();
    out_.clear();
    sent_ = 0;
    connect_sent_ = admitted_ = false;
}

void Client::fail(std::string text) {
    if (!failure_.empty()) return;
    failure_ = fmt::format("{}: {}", account_.client_id, text);
    socket_.close();
    on_failure();
}

void Client::ready() {
    if (socket_.descriptor() < 0) return;
    if (socket_.establish() && !connect_sent_) {
        connect_sent_ = true;
        wire::Connect connect{.clean_session = target_.clean_session,
                              .keep_alive_seconds = keep_alive_seconds,
                              .client_id = account_.client_id,
                              .will = {},
                              .user_name = {},
                              .password = {},
                              .properties = {}};
        if (!account_.user_name.empty()) {
            connect.user_name = account_.user_name;
            connect.password = account_.password;
        }
        put(connect);
    }
    // At most a few reads in a row: the others wait, too.
    for (int reads = 0; reads < 4 && socket_.is_open(); ++reads) {
        const bool more = socket_.receive(in_);
        take_packets();
        if (!more) break;
    }
    flush();
}

void Client::flush() {
    if (socket_.descriptor() < 0) return;
    if (socket_.is_open()) {
        socket_.send(out_, sent_);
        if (sent_ == out_.size()) {
            clear(out_);
            sent_ = 0;
        }
    }
    if (!socket_.error().empty()) return fail(socket_.error());
    if (socket_.wants_writable() != watching_writable_) {
        watching_writable_ = socket_.wants_writable();
        poller_.change(*this, socket_.descriptor(), watching_writable_);
    }
}

void Client::take_packets() {
    const std::string_view all(in_);
    std::size_t at = 0;
    while (failure_.empty()) {
        const auto [header, length] = lengths_of(all.substr(at));
        if (header == 0 || all.size() - at < header + length) break;
        take_packet(static_cast<std::uint8_t>(all[at]), all.substr(at + header, length));
        if (in_.empty()) return;  // hung up
        at += header + length;
    }
    in_.erase(0, at);
    if (in_.empty()) clear(in_);
}

void Client::take_packet(std::uint8_t first, std::string_view body) {
    const auto type = first >> 4;
    if (type == 3) return take_publish(first, body);
    if (type == 13) return;  // PINGRESP
    if (body.size() < 2) return fail(fmt::format("a packet of type {} that is too short", type));
    if (type == 4) return on_puback(u16_at(body, 0));
    if (type == 2) {
        if (body[1] != 0) return fail(fmt::format("refused with CONNACK {}", static_cast<int>(body[1])));
        admitted_ = true;
        return on_admitted();
    }
    if (type == 9) return on_suback(static_cast<std::uint8_t>(body.back()));
    fail(fmt::format("a packet of type {} that was not expected", type));
}

void Client::take_publish(std::uint8_t first, std::string_view body) {
    const auto qos = first >> 1 & 3;
    const std::size_t prefix = body.size() < 2 ? body.size() + 1 : 2U + u16_at(body, 0) + (qos > 0 ? 2U : 0U);
    if (prefix > body.size()) return fail("a PUBLISH that ends too early");
    on_message(body.substr(prefix), qos > 0 ? u16_at(body, prefix - 2) : std::uint16_t{0});
}

}  // namespace skerry::load
