// Reads what the sample modules and the cloud have written so far, and adds up what became of every message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace skerry::cli {

// A growing text file, read line by line as it grows.
class TailedFile {
public:
    explicit TailedFile(std::filesystem::path path) : path_(std::move(path)) {}
    // Whole lines that were added since the last call.
    [[nodiscard]] std::vector<std::string> new_lines();

private:
    std::filesystem::path path_;
    std::uint64_t offset_{0};
    std::string partial_;
};

struct Totals {
    std::size_t sent{0};        // acknowledged to the sensor
    std::size_t passed{0};      // by the filter, acknowledged to it
    std::size_t received{0};    // distinct ids in the cloud's event log
    std::size_t duplicates{0};  // further copies of those
    std::size_t lost{0};        // acknowledged to the sensor and not handled by the filter, or passed and not received
};

class Accounts {
public:
    void sensor_line(std::string_view line);  // "sent <id>"
    void filter_line(std::string_view line);  // "passed <id>" | "dropped <id>"
    void received(std::string id);
    [[nodiscard]] Totals totals() const;

private:
    std::unordered_set<std::string> sent_;
    std::unordered_set<std::string> passed_;
    std::unordered_set<std::string> dropped_;
    std::unordered_map<std::string, std::size_t> received_;
};

}  // namespace skerry::cli
