#include "load/crowd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

namespace skerry::load {

namespace {
constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t poll_limit = second / 100;
constexpr std::int64_t opening_limit = 60 * second;  // and 10 ms for each connection

class Visitor final : public Client {
public:
    Visitor(Poller& poller, const Target& target, Account account, CrowdResult& result)
        : Client(poller, target, std::move(account)), result_(result) {}

    void visit() {
        begun_ = now_ns();
        waiting_ = true;
        dial();
    }
    [[nodiscard]] bool is_waiting() const { return waiting_; }

private:
    void on_admitted() override {
        waiting_ = false;
        ++result_.admitted;
        result_.latency.record(now_ns() - begun_);
    }
    void on_failure() override {
        waiting_ = false;
        ++result_.failed;
        if (result_.error.empty()) result_.error = failure();
    }

    CrowdResult& result_;
    std::int64_t begun_{0};
    bool waiting_{false};
};

std::vector<std::unique_ptr<Visitor>> make_visitors(const Options& options, const Target& target, Poller& poller,
                                                    std::size_t count, CrowdResult& result) {
    std::vector<std::unique_ptr<Visitor>> visitors;
    for (std::size_t i = 0; i < count; ++i)
        visitors.push_back(std::make_unique<Visitor>(poller, target, account_of(options, i, "visitor"), result));
    return visitors;
}
}  // namespace

CrowdResult connect_and_leave(const Options& options, const Target& target) {
    CrowdResult result;
    Poller poller;
    const auto visitors = make_visitors(options, target, poller, options.at_once, result);
    const auto begun = now_ns();
    const auto until = begun + static_cast<std::int64_t>(options.seconds * static_cast<double>(second));
    while (now_ns() < until && result.failed < options.at_once) {
        for (const auto& visitor : visitors) {
            if (visitor->is_waiting()) continue;
            visitor->hang_up();
            visitor->visit();
        }
        poller.poll(poll_limit);
    }
    result.seconds = static_cast<double>(now_ns() - begun) / second;
    return result;
}

CrowdResult connect_and_stay(const Options& options, const Target& target, void (*tell)(const std::string&)) {
    CrowdResult result;
    Poller poller;
    const auto visitors = make_visitors(options, target, poller, options.connections, result);
    const auto begun = now_ns();
    const auto limit = begun + opening_limit + static_cast<std::int64_t>(visitors.size()) * second / 100;
    std::size_t dialled = 0;
    while (result.admitted + result.failed < visitors.size() && now_ns() < limit) {
        while (dialled < visitors.size() && dialled - (result.admitted + result.failed) < options.at_once)
            visitors[dialled++]->visit();
        poller.poll(poll_limit);
    }
    result.seconds = static_cast<double>(now_ns() - begun) / second;
    tell(fmt::format("holding {} connections", result.admitted));
    const auto until = now_ns() + static_cast<std::int64_t>(options.seconds * static_cast<double>(second));
    while (now_ns() < until) poller.poll(poll_limit * 10);
    return result;
}

}  // namespace skerry::load
