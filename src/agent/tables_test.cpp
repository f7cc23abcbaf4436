#include "agent/tables_test.hpp"

#include <doctest/doctest.h>

#include <boost/json/parse.hpp>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace skerry::agent {

std::vector<std::filesystem::path> table_files(std::string_view folder) {
    std::vector<std::filesystem::path> files;
    const auto place = std::filesystem::path(SKERRY_SOURCE_DIR) / "tests/data" / folder;
    for (const auto& entry : std::filesystem::directory_iterator(place))
        if (entry.path().extension() == ".json") files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
}

boost::json::value read_json(const std::filesystem::path& file) {
    std::ifstream stream(file);
    const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    return boost::json::parse(text);
}

Duration parse_duration(std::string_view text) {
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view unit(end, text.data() + text.size());
    if (error == std::errc()) {
        if (unit == "ms") return std::chrono::milliseconds(count);
        if (unit == "s") return std::chrono::seconds(count);
        if (unit == "m") return std::chrono::minutes(count);
        if (unit == "h") return std::chrono::hours(count);
    }
    throw std::invalid_argument("no duration: " + std::string(text));
}

TEST_CASE("durations in tables are read as people write them") {
    CHECK(parse_duration("400ms") == std::chrono::milliseconds(400));
    CHECK(parse_duration("2m") == std::chrono::seconds(120));
    CHECK_THROWS(static_cast<void>(parse_duration("2 fortnights")));
}

}  // namespace skerry::agent
