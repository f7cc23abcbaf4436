// What the stream of a pull says: how far it is, and that it failed (in spite of the status 200 in front).
//
// Bounds: 1,000 layers; more are not counted.
#pragma once

#include "base/result.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <string>

namespace skerry::engine::moby {

class PullProgress {
public:
    // One line. The error is the engine's own, with a code by its text.
    [[nodiscard]] Result<> take(const boost::json::object& line);
    // "3 of 7 layers, 45 of 120 MB"; the layers' sizes are known as they begin.
    [[nodiscard]] std::string text() const;
    // Grows whenever something was got.
    [[nodiscard]] std::uint64_t bytes() const;

private:
    struct Layer {
        std::uint64_t got{0};
        std::uint64_t total{0};
        bool complete{false};
    };
    std::map<std::string, Layer> layers_;
};

// The code for the engine's text about a registry: what is not there, what is not allowed, what can't be reached.
[[nodiscard]] Errc pull_code(std::string_view message, Errc otherwise);

}  // namespace skerry::engine::moby
