#include "hub/mqtt/turnstile.hpp"

#include <algorithm>

namespace skerry::hub::mqtt {

void Turnstile::take() {
    --left_;
    ask_for_turn();
}

Task<> Turnstile::pass(Event& mine) {
    // Who is told to stop leaves the line.
    struct Place {
        std::deque<Event*>& line;
        Event* event;
        ~Place() { std::erase(line, event); }
    } const place{waiting_, &mine};
    mine.reset();
    waiting_.push_back(&mine);
    ask_for_turn();
    co_await mine.wait();
}

void Turnstile::ask_for_turn() {
    if (asked_) return;
    asked_ = true;
    turns_.spawn("turn of publishers", next_turn());
}

Task<> Turnstile::next_turn() {
    asked_ = false;
    left_ = batches_per_turn;
    for (; left_ > 0 && !waiting_.empty(); --left_) {
        waiting_.front()->set();
        waiting_.pop_front();
    }
    if (left_ < batches_per_turn) ask_for_turn();
    co_return;
}

}  // namespace skerry::hub::mqtt
