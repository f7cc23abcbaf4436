// The series of one metric, each found by the values of its labels.
//
// Promise: a reference to a series stays valid until it is removed.
// Bounds:  1,000 series; what is beyond is counted under the label values "other".
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace skerry::metrics {

template <class Value, std::size_t LabelCount>
class Series {
public:
    using Key = std::array<std::string_view, LabelCount>;

    // The reference stays valid.
    Value& operator[](const Key& labels) {
        std::array<std::string, LabelCount> key;
        for (std::size_t i = 0; i < LabelCount; ++i) key[i] = labels[i];
        if (const auto found = values_.find(key); found != values_.end()) return found->second;
        if (values_.size() >= most) key.fill("other");
        return values_[std::move(key)];
    }
    [[nodiscard]] const auto& all() const { return values_; }
    [[nodiscard]] auto& all() { return values_; }
    // Those for whose labels' values `gone` says so.
    template <class Gone>
    void remove_if(const Gone& gone) {
        std::erase_if(values_, [&](const auto& entry) { return gone(entry.first); });
    }

private:
    static constexpr std::size_t most = 1'000;
    std::map<std::array<std::string, LabelCount>, Value> values_;
};

}  // namespace skerry::metrics
