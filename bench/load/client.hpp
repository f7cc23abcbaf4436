// One MQTT client of the generator, from its dial to its end. Publishers, subscribers and visitors derive from it.
//
// Promises: incoming packets are looked at in place and never copied; outgoing ones gather and leave with one call.
// Bounds:   `most_pending` bytes gather at most, for those who ask has_room() before they add more.
#pragma once

#include "codec/mqtt.hpp"
#include "load/socket.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace skerry::load {

struct Target {
    Address address;
    ssl_ctx_st* tls{nullptr};
    bool clean_session{true};
};

struct Account {
    std::string client_id;
    std::string user_name;  // empty: none
    std::string password;
};

class Client;

// Waits for many sockets at once.
class Poller {
public:
    Poller();
    ~Poller();
    Poller(const Poller&) = delete;
    Poller& operator=(const Poller&) = delete;
    void add(Client& client, int descriptor);
    void change(Client& client, int descriptor, bool writable);
    // Lets every client that is ready go on; waits at most `nanoseconds`.
    void poll(std::int64_t nanoseconds);

private:
    int descriptor_;
};

class Client {
public:
    Client(Poller& poller, const Target& target, Account account);
    virtual ~Client() = default;
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    void dial();
    void hang_up();
    void ready();
    void flush();
    [[nodiscard]] bool admitted() const { return admitted_; }
    [[nodiscard]] const std::string& failure() const { return failure_; }
    [[nodiscard]] const Account& account() const { return account_; }

protected:
    virtual void on_admitted() = 0;
    virtual void on_suback(std::uint8_t /*code*/) {}
    virtual void on_puback(std::uint16_t /*id*/) {}
    virtual void on_message(std::string_view /*payload*/, std::uint16_t /*id*/) {}
    virtual void on_failure() {}
    void fail(std::string text);

    [[nodiscard]] bool has_room() const { return out_.size() - sent_ < most_pending; }
    [[nodiscard]] std::string& out() { return out_; }
    void put(const codec::mqtt::Packet& packet) { codec::mqtt::encode(packet, out_); }

private:
    static constexpr std::size_t most_pending = 256 * 1024;
    void take_packets();
    void take_packet(std::uint8_t first, std::string_view body);
    void take_publish(std::uint8_t first, std::string_view body);

    Poller& poller_;
    const Target& target_;
    Account account_;
    Socket socket_;
    std::string in_;
    std::string out_;
    std::size_t sent_{0};
    bool connect_sent_{false};
    bool admitted_{false};
    bool watching_writable_{false};
    std::string failure_;
};

// Nanoseconds of the monotonic clock.
[[nodiscard]] std::int64_t now_ns();

}  // namespace skerry::load
