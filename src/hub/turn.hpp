// One after another: a coroutine that holds the turn may co_await without others getting in between.
#pragma once

#include "base/event.hpp"

#include <utility>

namespace skerry::hub {

class Turn {
public:
    explicit Turn(Executor executor) : free_(std::move(executor)) {}

    class Held {
    public:
        explicit Held(Turn& turn) : turn_(&turn) {}
        Held(Held&& other) noexcept : turn_(std::exchange(other.turn_, nullptr)) {}
        Held& operator=(Held&&) = delete;
        ~Held() {
            if (!turn_) return;
            turn_->taken_ = false;
            turn_->free_.notify();
        }

    private:
        Turn* turn_;
    };

    // The Turn outlives what it hands out.
    [[nodiscard]] Task<Held> take() {
        while (taken_) co_await free_.wait();
        taken_ = true;
        co_return Held(*this);
    }

private:
    Signal free_;
    bool taken_{false};
};

}  // namespace skerry::hub
