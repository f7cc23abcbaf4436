#include "codec/zip.hpp"

#include "base/encoding.hpp"

#include <zlib.h>

#include <array>
#include <chrono>
#include <new>
#include <vector>

namespace skerry::codec {

namespace {

constexpr std::uint64_t largest = 0xff00'0000;  // room for the directory and a descriptor below 4 GiB
constexpr std::size_t most_entries = 65'000;
constexpr std::size_t most_directory = 8 * 1024 * 1024;
constexpr std::uint16_t version = 20;
constexpr std::uint16_t flags = 1 << 3 | 1 << 11;  // sizes follow the data; names are UTF-8
constexpr std::uint16_t deflated = 8;
constexpr std::uint16_t made_on_unix = 3 << 8 | version;
constexpr std::uint32_t plain_file = 0100600U << 16;

// MS-DOS: two seconds' steps since 1980.
std::uint32_t dos_time(WallTime time) {
    using namespace std::chrono;
    const auto day = floor<days>(time);
    const year_month_day date(day);
    const hh_mm_ss clock(floor<seconds>(time - day));
    const auto years = static_cast<int>(date.year()) - 1980;
    if (years < 0 || years > 127) return 1U << 21 | 1U << 16;
    return static_cast<std::uint32_t>(years) << 25 | static_cast<unsigned>(date.month()) << 21 |
           static_cast<unsigned>(date.day()) << 16 | static_cast<std::uint32_t>(clock.hours().count()) << 11 |
           static_cast<std::uint32_t>(clock.minutes().count()) << 5 |
           static_cast<std::uint32_t>(clock.seconds().count() / 2);
}

}  // namespace

struct ZipWriter::State {
    State() {
        // Raw deflate: the archive has heads of its own.
        constexpr int window = -15;
        constexpr int memory = 8;
        if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window, memory, Z_DEFAULT_STRATEGY) != Z_OK)
            throw std::bad_alloc();
    }
    ~State() { deflateEnd(&stream); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    z_stream stream{};
    bool open{false};
    std::string name;
    std::uint32_t modified{0};
    std::uint32_t crc{0};
    std::uint64_t offset{0};  // of the entry's head
    std::uint64_t size{0};
    std::uint64_t compressed{0};
    std::string directory;
    std::size_t entries{0};

    void deflate_into(std::string& out, std::string_view bytes, int flush) {
        std::array<char, 16 * 1024> piece;
        // zlib does not write there; its type says otherwise.
        stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        stream.avail_in = static_cast<uInt>(bytes.size());
        do {
            stream.next_out = reinterpret_cast<Bytef*>(piece.data());
            stream.avail_out = static_cast<uInt>(piece.size());
            deflate(&stream, flush);
            const auto made = piece.size() - stream.avail_out;
            out.append(piece.data(), made);
            compressed += made;
        } while (stream.avail_out == 0);
    }
    void put_sizes(std::string& out) const {
        put_le(out, crc);
        put_le(out, static_cast<std::uint32_t>(compressed));
        put_le(out, static_cast<std::uint32_t>(size));
    }
    void put_kind(std::string& out) const {
        put_le(out, version);
        put_le(out, flags);
        put_le(out, deflated);
        put_le(out, modified);
    }
};

ZipWriter::ZipWriter() : state_(std::make_unique<State>()) {}
ZipWriter::~ZipWriter() = default;

std::string ZipWriter::take() {
    taken_ += out_.size();
    return std::exchange(out_, {});
}

bool ZipWriter::begin(std::string_view name, WallTime modified) {
    end_entry();
    auto& state = *state_;
    const bool full = state.entries >= most_entries || state.directory.size() + name.size() > most_directory;
    if (full || name.size() > 0xffff || size() + state.directory.size() > largest) return false;
    deflateReset(&state.stream);
    state.open = true;
    state.name = name;
    state.modified = dos_time(modified);
    state.crc = 0;
    state.size = state.compressed = 0;
    state.offset = size();
    put_le(out_, std::uint32_t{0x04034b50});
    state.put_kind(out_);
    out_.append(12, '\0');  // crc and sizes: they follow
    put_le(out_, static_cast<std::uint16_t>(name.size()));
    put_le(out_, std::uint16_t{0});
    out_ += name;
    return true;
}

bool ZipWriter::write(std::string_view bytes) {
    auto& state = *state_;
    // What can't be compressed grows a little.
    const bool fits = size() + state.directory.size() + bytes.size() + bytes.size() / 1000 < largest &&
                      state.size + bytes.size() < largest;
    if (!state.open || !fits) return false;
    constexpr std::size_t piece = 1024 * 1024;
    while (!bytes.empty()) {
        const auto part = bytes.substr(0, piece);
        state.crc = static_cast<std::uint32_t>(
            crc32(state.crc, reinterpret_cast<const Bytef*>(part.data()), static_cast<uInt>(part.size())));
        state.size += part.size();
        state.deflate_into(out_, part, Z_NO_FLUSH);
        bytes.remove_prefix(part.size());
    }
    return true;
}

void ZipWriter::end_entry() {
    auto& state = *state_;
    if (!std::exchange(state.open, false)) return;
    state.deflate_into(out_, {}, Z_FINISH);
    put_le(out_, std::uint32_t{0x08074b50});
    state.put_sizes(out_);
    auto& directory = state.directory;
    put_le(directory, std::uint32_t{0x02014b50});
    put_le(directory, made_on_unix);
    state.put_kind(directory);
    state.put_sizes(directory);
    put_le(directory, static_cast<std::uint16_t>(state.name.size()));
    directory.append(8, '\0');  // no extra field, no comment, first disk, no text flag
    put_le(directory, plain_file);
    put_le(directory, static_cast<std::uint32_t>(state.offset));
    directory += state.name;
    ++state.entries;
}

void ZipWriter::finish() {
    end_entry();
    const auto& state = *state_;
    const auto offset = size();
    out_ += state.directory;
    put_le(out_, std::uint32_t{0x06054b50});
    put_le(out_, std::uint32_t{0});  // both on the first disk
    for (int i = 0; i < 2; ++i) put_le(out_, static_cast<std::uint16_t>(state.entries));
    put_le(out_, static_cast<std::uint32_t>(state.directory.size()));
    put_le(out_, static_cast<std::uint32_t>(offset));
    put_le(out_, std::uint16_t{0});
}

}  // namespace skerry::codec
