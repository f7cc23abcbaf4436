// What to do, from the command line. Every run is bounded in time, whatever else it is bounded by.
#pragma once

#include "load/client.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace skerry::load {

enum class Mode { flow, connect, idle };

struct Options {
    Mode mode{Mode::flow};
    std::string host{"127.0.0.1"};
    std::uint16_t port{1883};
    bool tls{false};
    bool persistent{false};
    std::string accounts_file;
    std::vector<Account> accounts;  // of the file

    std::size_t publishers{1};
    std::size_t subscribers{1};
    std::string topic{"load/{n}"};
    std::string filter{"load/#"};
    int qos{1};
    std::size_t size{256};
    double rate{0};           // messages per second of all publishers together; 0: closed loop
    std::size_t window{100};  // messages without acknowledgement per publisher
    std::uint64_t count{0};   // of all publishers together; 0: until the time is over
    std::uint64_t expect{0};  // without publishers: how many messages to receive
    double handle{0};         // milliseconds that a subscriber takes for each message, all that it has at once
    double warmup{0};
    double seconds{10};
    double quiet{5};  // how long to wait for a message that does not come
    std::size_t connections{100};
    std::size_t at_once{16};
};

// The account and topic of the n-th client: of the file, or made up from `role`.
[[nodiscard]] Account account_of(const Options& options, std::size_t n, const std::string& role);
[[nodiscard]] std::string topic_of(const std::string& pattern, std::size_t n, const Account& account);

// Reads the accounts file; throws std::runtime_error with what is wrong, and in which line.
void read_accounts(Options& options);

}  // namespace skerry::load
