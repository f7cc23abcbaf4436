#include "storage/crc32c.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace skerry::storage;

TEST_CASE("CRC-32C gives the published values, by instruction and by table") {
    std::string ascending;
    for (int byte = 0; byte < 32; ++byte) ascending.push_back(static_cast<char>(byte));
    for (const auto& crc : {&crc32c, &crc32c_by_table}) {
        CHECK(crc("", 0) == 0);
        CHECK(crc("123456789", 0) == 0xe3069283);
        CHECK(crc(std::string(32, '\0'), 0) == 0x8a9136aa);  // RFC 3720, B.4
        CHECK(crc(std::string(32, '\xff'), 0) == 0x62a8ab43);
        CHECK(crc(ascending, 0) == 0x46dd794e);
    }
}

TEST_CASE("CRC-32C can be taken in parts of any length") {
    std::string bytes;
    for (int n = 0; n < 100; ++n) bytes.push_back(static_cast<char>(n * 37));
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        const std::string_view all = bytes;
        CHECK(crc32c(all.substr(cut), crc32c(all.substr(0, cut))) == crc32c_by_table(all));
        CHECK(crc32c_by_table(all.substr(cut), crc32c_by_table(all.substr(0, cut))) == crc32c(all));
    }
}
