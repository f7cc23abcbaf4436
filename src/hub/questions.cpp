#include "hub/questions.hpp"

namespace skerry::hub {

namespace {
constexpr std::size_t most_asked = 1'000;
constexpr std::size_t most_running = 8;
}  // namespace

std::optional<Questions::Permit> Questions::ask(const model::Identity& identity) {
    const auto now = clock_.steady();
    const auto is_old = [&](const Asked& asked) { return now - asked.when >= again_; };
    if (const auto found = asked_.find(identity); found != asked_.end() && !is_old(found->second)) return std::nullopt;
    if (asked_.size() >= most_asked) std::erase_if(asked_, [&](const auto& entry) { return is_old(entry.second); });
    if (asked_.size() >= most_asked) return std::nullopt;
    return ask_at_once(identity);
}

std::optional<Questions::Permit> Questions::ask_at_once(const model::Identity& identity) {
    if (running_ >= most_running) return std::nullopt;
    if (asked_.size() < most_asked || asked_.contains(identity)) asked_[identity] = {.when = clock_.steady()};
    return Permit(*this);
}

void Questions::unanswered(const model::Identity& identity) {
    if (const auto found = asked_.find(identity); found != asked_.end()) found->second.answered = false;
}

void Questions::reachable_again() {
    std::erase_if(asked_, [](const auto& entry) { return !entry.second.answered; });
}

}  // namespace skerry::hub
