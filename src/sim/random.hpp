// Randomness from a seed: the same seed gives the same world.
#pragma once

#include "base/random.hpp"

namespace skerry::sim {

class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}

    void fill(std::span<unsigned char> out) override {
        std::uint64_t word = 0;
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (i % 8 == 0) word = splitmix();
            out[i] = static_cast<unsigned char>(word >> (8 * (i % 8)));
        }
    }

private:
    std::uint64_t splitmix() {
        state_ += 0x9e3779b97f4a7c15U;
        auto z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }

    std::uint64_t state_;
};

}  // namespace skerry::sim
