// What a sample module notes of every message, for whoever adds up afterwards: one line each, appended with one write, so
// that a kill loses no earlier line.
#pragma once

#include <string>
#include <string_view>

namespace samples {

class Ledger {
public:
    // The file that SKERRY_LEDGER names; without it notes go nowhere.
    Ledger();
    ~Ledger();
    Ledger(const Ledger&) = delete;
    Ledger& operator=(const Ledger&) = delete;

    void note(std::string_view what, std::string_view id);  // "<what> <id>\n"

private:
    int file_{-1};
};

}  // namespace samples
