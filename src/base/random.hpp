// Randomness as a parameter: the kernel's in the product, a seeded one in src/sim.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace skerry {

class Random {
public:
    virtual ~Random() = default;
    virtual void fill(std::span<unsigned char> out) = 0;

    [[nodiscard]] std::uint64_t next();
    // Uniform in [0, bound); bound > 0.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound);
    [[nodiscard]] std::string bytes(std::size_t count);
    // A random UUID in lower case, "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".
    [[nodiscard]] std::string uuid();
};

class SystemRandom final : public Random {
public:
    void fill(std::span<unsigned char> out) override;
};

}  // namespace skerry
