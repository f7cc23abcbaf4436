#include "agent/logs/gzip.hpp"

#include <zlib.h>

#include <array>
#include <new>

namespace skerry::agent {

struct Gzip::State {
    State() {
        constexpr int window_bits = 15;
        constexpr int with_gzip_head = 16;
        constexpr int memory_level = 8;
        // Its only failures are wrong arguments and no memory.
        if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, window_bits + with_gzip_head, memory_level,
                         Z_DEFAULT_STRATEGY) != Z_OK)
            throw std::bad_alloc();
    }
    ~State() { deflateEnd(&stream); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void run(int flush, std::string& out) {
        std::array<unsigned char, 16 * 1024> buffer;
        do {
            stream.next_out = buffer.data();
            stream.avail_out = static_cast<uInt>(buffer.size());
            static_cast<void>(deflate(&stream, flush));
            out.append(reinterpret_cast<const char*>(buffer.data()), buffer.size() - stream.avail_out);
        } while (stream.avail_out == 0);
    }

    z_stream stream{};
};

Gzip::Gzip() : state_(std::make_unique<State>()) {}
Gzip::~Gzip() = default;

void Gzip::write(std::string_view bytes, std::string& out) {
    constexpr std::size_t at_once = 1 << 30;
    while (!bytes.empty()) {
        const auto piece = bytes.substr(0, at_once);
        bytes.remove_prefix(piece.size());
        state_->stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
        state_->stream.avail_in = static_cast<uInt>(piece.size());
        state_->run(Z_NO_FLUSH, out);
    }
}

void Gzip::finish(std::string& out) { state_->run(Z_FINISH, out); }

}  // namespace skerry::agent
