// The simulated machine: a temperature that climbs from 21 towards 100 degrees and then stays there, a pressure that
// follows it, and the air around.
#pragma once

#include "base/random.hpp"

namespace skerry::modules {

struct Reading {
    double temperature;
    double pressure;
    double ambient_temperature;
    int ambient_humidity;
};

class Thermometer {
public:
    explicit Thermometer(Random& random) : random_(random) {}

    [[nodiscard]] Reading next() {
        temperature_ += temperature_ > hottest ? fraction() - 0.5 : fraction() * 1.5 - 0.25;
        return {.temperature = temperature_,
                .pressure = 1 + (temperature_ - coolest) * (10.0 - 1.0) / (hottest - coolest),
                .ambient_temperature = coolest + fraction() - 0.5,
                .ambient_humidity = 24 + static_cast<int>(random_.below(3))};
    }
    void reset() { temperature_ = coolest; }

    static constexpr double coolest = 21;
    static constexpr double hottest = 100;

private:
    [[nodiscard]] double fraction() { return static_cast<double>(random_.below(1'000'000)) / 1e6; }

    Random& random_;
    double temperature_{coolest};
};

}  // namespace skerry::modules
