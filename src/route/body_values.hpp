// The values that conditions ask for, out of one JSON body.
//
// Promises: the body is read once, to its end, for all paths of a set; what is not asked for is passed over. An error
//           anywhere, or a body that is no object, makes all values undefined. Allocates nothing for a body in UTF-8
//           unless more than `few` places are asked for, or texts with escapes.
#pragma once

#include "route/body.hpp"
#include "route/value.hpp"

#include <array>
#include <cstddef>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::route {

class BodyValues {
public:
    BodyValues() = default;
    BodyValues(const BodyValues&) = delete;
    BodyValues& operator=(const BodyValues&) = delete;

    // JSON in UTF-8, with comments and trailing commas, at most `deepest_body` deep. Values refer to it.
    void read(std::string_view text, std::shared_ptr<const BodyPaths> paths);
    void set_unreadable(std::shared_ptr<const BodyPaths> paths);

    [[nodiscard]] bool is_read_for(const BodyPaths& paths) const {
        return paths_.get() == &paths && values_.size() == paths.size();
    }
    // A scalar, `missing`, or undefined for objects, arrays and what the existing hub takes for dates.
    [[nodiscard]] const Value& at(BodyPaths::Place place) const { return values_[place]; }

private:
    static constexpr std::size_t few = 16;

    void reset(const Value& value);

    std::shared_ptr<const BodyPaths> paths_;  // with their conditions, which may end before the message
    std::span<Value> values_;                 // by place, in one of the following
    std::array<Value, few> few_;              // not set before it is used
    std::vector<Value> many_;
    std::list<std::string> texts_;  // those with escapes
};

inline constexpr std::size_t deepest_body = 64;

}  // namespace skerry::route
