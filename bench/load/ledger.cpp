#include "load/ledger.hpp"

#include <algorithm>

namespace skerry::load {

namespace {
constexpr std::size_t most_publishers = 65'536;
constexpr std::size_t most_gaps = 65'536;
}  // namespace

Ledger::Verdict Ledger::note(std::uint32_t publisher, std::uint64_t sequence) {
    if (publisher >= most_publishers) {
        ++foreign_;
        return Verdict::foreign;
    }
    if (publisher >= tracks_.size()) tracks_.resize(publisher + 1);
    auto& track = tracks_[publisher];
    if (sequence < track.next) return note_old(track, sequence);
    const bool expected = sequence == track.next;
    if (!expected) {
        if (track.gaps.size() >= most_gaps) {
            ++foreign_;
            return Verdict::foreign;
        }
        track.gaps.emplace(track.next, sequence);
    }
    track.next = sequence + 1;
    ++distinct_;
    return expected ? Verdict::in_order : Verdict::ahead;
}

Ledger::Verdict Ledger::note_old(Track& track, std::uint64_t sequence) {
    const auto after = track.gaps.upper_bound(sequence);
    if (after == track.gaps.begin() || std::prev(after)->second <= sequence) {
        ++duplicates_;
        return Verdict::duplicate;
    }
    const auto [begin, end] = *std::prev(after);
    track.gaps.erase(std::prev(after));
    if (begin < sequence) track.gaps.emplace(begin, sequence);
    if (sequence + 1 < end) track.gaps.emplace(sequence + 1, end);
    ++distinct_;
    ++late_;
    return Verdict::late;
}

std::uint64_t Ledger::missing(std::uint32_t publisher, std::uint64_t count) const {
    if (publisher >= tracks_.size()) return count;
    const auto& track = tracks_[publisher];
    std::uint64_t missing = count > track.next ? count - track.next : 0;
    for (const auto& [begin, end] : track.gaps)
        if (begin < count) missing += std::min(end, count) - begin;
    return missing;
}

}  // namespace skerry::load
