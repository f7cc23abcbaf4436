// A file with one line per message that was dealt with, so that somebody else can count what was lost.
//
// Promises: lines are only ever added, each with one write that other writers can't split (O_APPEND); a line is in the
//           file when add() returns, so a crash of the process loses none.
#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace skerry::modules {

class Ledger {
public:
    // An empty path gives a ledger that writes nothing.
    [[nodiscard]] static Result<Ledger> open(const std::string& path);
    Ledger(Ledger&& other) noexcept;
    Ledger& operator=(Ledger&&) = delete;
    ~Ledger();

    // "<verb> <id>\n". A failure is reported in the log once.
    void add(std::string_view verb, std::string_view id);

private:
    explicit Ledger(int descriptor) : descriptor_(descriptor) {}
    int descriptor_;
    bool failed_{false};
};

}  // namespace skerry::modules
