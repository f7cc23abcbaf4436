// Values in numbered slots that are used again: a map whose keys we choose, without an allocation per entry.
//
// Promises: a key is never given out twice; one that was taken or erased leads nowhere. Free slots are used again in
//           the order they became free.
// Bounds:   as many slots as values were held at one time, rounded up to a power of two.
// Threads:  the loop's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace skerry::hub {

template <class Value>
class Slots {
public:
    using Key = std::uint64_t;  // the slot's number in the lower 32 bits

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] static std::uint32_t number_of(Key key) { return static_cast<std::uint32_t>(key); }

    [[nodiscard]] Key put(Value value) {
        if (size_ == slots_.size()) grow();
        const auto number = first_free_;
        auto& slot = slots_[number];
        first_free_ = slot.next_free;
        slot.value.emplace(std::move(value));
        ++size_;
        return Key{++slot.uses} << 32 | number;
    }

    // nullopt when the key is not in use.
    [[nodiscard]] std::optional<Value> take(Key key) {
        const auto number = number_of(key);
        if (number >= slots_.size() || slots_[number].uses != key >> 32) return std::nullopt;
        return take_number(number);
    }
    [[nodiscard]] std::optional<Value> take_number(std::uint32_t number) {
        if (number >= slots_.size() || !slots_[number].value) return std::nullopt;
        auto value = std::exchange(slots_[number].value, std::nullopt);
        set_free(number);
        --size_;
        return value;
    }

    template <class Predicate>
    void erase_if(Predicate condemned) {
        for (std::uint32_t number = 0; number < slots_.size(); ++number)
            if (slots_[number].value && condemned(*slots_[number].value)) (void)take_number(number);
    }

private:
    static constexpr std::size_t smallest = 16;
    struct Slot {
        std::optional<Value> value;
        std::uint32_t uses{0};
        std::uint32_t next_free{0};
    };

    void set_free(std::uint32_t number) {
        if (size_ == slots_.size())
            first_free_ = number;  // the only one
        else
            slots_[last_free_].next_free = number;
        last_free_ = number;
    }
    // None is free.
    void grow() {
        const auto from = slots_.size();
        slots_.resize(from == 0 ? smallest : from * 2);
        first_free_ = static_cast<std::uint32_t>(from);
        last_free_ = static_cast<std::uint32_t>(slots_.size() - 1);
        for (auto number = first_free_; number < last_free_; ++number) slots_[number].next_free = number + 1;
    }

    std::vector<Slot> slots_;
    std::size_t size_{0};
    std::uint32_t first_free_{0};  // of a chain, when there is one
    std::uint32_t last_free_{0};
};

}  // namespace skerry::hub
