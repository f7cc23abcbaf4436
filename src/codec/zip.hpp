// A zip archive as a stream: entries go in piece by piece, the archive comes out as it grows; nothing is ever read or
// written again, and no more of it is held than what was not taken yet.
//
// Written here because the libraries at hand (minizip, libzip) go back in the file to note an entry's size; the format
// lets it follow the entry instead (a data descriptor).
//
// Bounds: 256 KiB of state. An entry has less than 4 GiB, the archive too, and 65,535 entries: begin() and write() say
//         no before that.
#pragma once

#include "base/clock.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace skerry::codec {

class ZipWriter {
public:
    ZipWriter();
    ~ZipWriter();
    ZipWriter(const ZipWriter&) = delete;
    ZipWriter& operator=(const ZipWriter&) = delete;

    // Ends the entry before. `name` is UTF-8 with '/' between folders. False: there is no room for another.
    [[nodiscard]] bool begin(std::string_view name, WallTime modified);
    // False: there is no room for that; the entry ends with what it has.
    [[nodiscard]] bool write(std::string_view bytes);
    // The end: nothing may follow.
    void finish();

    [[nodiscard]] std::size_t written() const { return out_.size(); }
    [[nodiscard]] std::string take();

private:
    struct State;
    void end_entry();
    [[nodiscard]] std::uint64_t size() const { return taken_ + out_.size(); }

    std::unique_ptr<State> state_;
    std::string out_;
    std::uint64_t taken_{0};
};

}  // namespace skerry::codec
