#include "load/options.hpp"

#include <fmt/format.h>

#include <fstream>
#include <stdexcept>
#include <string_view>

namespace skerry::load {

namespace {
void replace_all(std::string& text, std::string_view what, std::string_view with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
}
}  // namespace

Account account_of(const Options& options, std::size_t n, const std::string& role) {
    if (options.accounts.empty()) return {fmt::format("{}-{}", role, n), {}, {}};
    if (n < options.accounts.size()) return options.accounts[n];
    throw std::runtime_error(
        fmt::format("the accounts file has {} lines, and client {} needs one", options.accounts.size(), n + 1));
}

std::string topic_of(const std::string& pattern, std::size_t n, const Account& account) {
    auto topic = pattern;
    replace_all(topic, "{n}", std::to_string(n));
    replace_all(topic, "{id}", account.client_id);
    return topic;
}

void read_accounts(Options& options) {
    if (options.accounts_file.empty()) return;
    std::ifstream file(options.accounts_file);
    if (!file) throw std::runtime_error("the accounts file can't be read: " + options.accounts_file);
    int number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        const auto one = line.find('\t');
        const auto two = one == std::string::npos ? one : line.find('\t', one + 1);
        if (two == std::string::npos)
            throw std::runtime_error(fmt::format("{}:{}: must be client id, user name and password, separated by tabs",
                                                 options.accounts_file, number));
        options.accounts.push_back({line.substr(0, one), line.substr(one + 1, two - one - 1), line.substr(two + 1)});
    }
}

}  // namespace skerry::load
