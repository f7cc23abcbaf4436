// What one subscriber got of each publisher's numbered messages: tells loss, duplicates and wrong order apart.
//
// Bounds: 65,536 publishers, 65,536 gaps per publisher; what arrives beyond them is counted as foreign().
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace skerry::load {

class Ledger {
public:
    enum class Verdict { in_order, ahead, late, duplicate, foreign };
    // ahead: an earlier message is still missing; late: the missing one came after all.
    Verdict note(std::uint32_t publisher, std::uint64_t sequence);

    [[nodiscard]] std::uint64_t distinct() const { return distinct_; }
    [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }
    [[nodiscard]] std::uint64_t out_of_order() const { return late_; }
    [[nodiscard]] std::uint64_t foreign() const { return foreign_; }
    // Of the first `count` messages of a publisher.
    [[nodiscard]] std::uint64_t missing(std::uint32_t publisher, std::uint64_t count) const;

private:
    struct Track {
        std::uint64_t next{0};
        std::map<std::uint64_t, std::uint64_t> gaps;  // begin to end, below `next`
    };
    Verdict note_old(Track& track, std::uint64_t sequence);

    std::vector<Track> tracks_;
    std::uint64_t distinct_{0};
    std::uint64_t duplicates_{0};
    std::uint64_t late_{0};
    std::uint64_t foreign_{0};
};

}  // namespace skerry::load
