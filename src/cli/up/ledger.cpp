#include "cli/up/ledger.hpp"

#include <array>
#include <fstream>
#include <utility>

namespace skerry::cli {

std::vector<std::string> TailedFile::new_lines() {
    std::vector<std::string> lines;
    std::ifstream in(path_, std::ios::binary);
    if (!in) return lines;
    in.seekg(static_cast<std::streamoff>(offset_));
    std::array<char, 16384> buffer{};
    while (in.read(buffer.data(), buffer.size()) || in.gcount() > 0) {
        const auto count = static_cast<std::size_t>(in.gcount());
        offset_ += count;
        for (const char character : std::string_view(buffer.data(), count)) {
            if (character == '\n')
                lines.push_back(std::exchange(partial_, {}));
            else
                partial_.push_back(character);
        }
    }
    return lines;
}

namespace {
// The word behind `verb`, or empty.
std::string id_after(std::string_view line, std::string_view verb) {
    if (!line.starts_with(verb) || line.size() <= verb.size() || line[verb.size()] != ' ') return {};
    return std::string(line.substr(verb.size() + 1));
}
}  // namespace

void Accounts::sensor_line(std::string_view line) {
    if (auto id = id_after(line, "sent"); !id.empty()) sent_.insert(std::move(id));
}

void Accounts::filter_line(std::string_view line) {
    if (auto id = id_after(line, "passed"); !id.empty()) passed_.insert(std::move(id));
    if (auto id = id_after(line, "dropped"); !id.empty()) dropped_.insert(std::move(id));
}

void Accounts::received(std::string id) { ++received_[std::move(id)]; }

Totals Accounts::totals() const {
    Totals totals{.sent = sent_.size(), .passed = passed_.size(), .received = received_.size()};
    for (const auto& [id, copies] : received_) totals.duplicates += copies - 1;
    for (const auto& id : sent_)
        if (!passed_.contains(id) && !dropped_.contains(id)) ++totals.lost;
    for (const auto& id : passed_)
        if (!received_.contains(id)) ++totals.lost;
    return totals;
}

}  // namespace skerry::cli
