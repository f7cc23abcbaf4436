// gzip as a stream: bytes in, compressed bytes out, in pieces of any size.
//
// Bound: 256 KiB of state while one is alive.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace skerry::agent {

class Gzip {
public:
    Gzip();
    ~Gzip();

    void write(std::string_view bytes, std::string& out);
    // The end: nothing may be written after it.
    void finish(std::string& out);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace skerry::agent
