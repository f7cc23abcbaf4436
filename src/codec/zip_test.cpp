// The archive as Python's zipfile reads it: an implementation that is not ours.
#include "codec/zip.hpp"

#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace skerry;
using skerry::codec::ZipWriter;

namespace {

// "name size crc-ok…" of each entry, as `python3 -c` prints it.
std::string read_by_python(const std::string& archive, const std::string& program) {
    const sim::TemporaryFolder folder;
    const auto path = [&](const char* name) { return (folder / name).native(); };
    std::ofstream(path("a.zip"), std::ios::binary) << archive;
    std::ofstream(path("p.py")) << program;
    const auto command = "python3 " + path("p.py") + ' ' + path("a.zip") + " > " + path("out") + " 2>&1";
    const int status = std::system(command.c_str());
    std::stringstream out;
    out << std::ifstream(path("out")).rdbuf();
    CHECK_MESSAGE(status == 0, out.str());
    return out.str();
}

constexpr const char* list_it = R"(import sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
for i in z.infolist(): print(i.filename, i.file_size, i.date_time, sum(z.read(i)) % 65521)
)";

}  // namespace

TEST_CASE("an archive that was taken in pieces is whole, and others can read it") {
    ZipWriter zip;
    std::string archive;
    const WallTime when(std::chrono::sys_days(std::chrono::year(2024) / 2 / 29) + std::chrono::seconds(3661));
    REQUIRE(zip.begin("logs/größe.txt", when));
    REQUIRE(zip.write("hello "));
    archive += zip.take();
    REQUIRE(zip.write("world\n"));
    REQUIRE(zip.begin("empty", when));
    REQUIRE(zip.begin("large", WallTime{}));
    std::string noise;
    unsigned seed = 1;
    for (int i = 0; i < 3'000'000; ++i) noise += static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
    unsigned long sum = 0;
    for (const char c : noise) sum += static_cast<unsigned char>(c);
    REQUIRE(zip.write(noise));
    CHECK(zip.written() > 2'900'000);
    archive += zip.take();
    CHECK(zip.written() == 0);
    zip.finish();
    archive += zip.take();
    CHECK(read_by_python(archive, list_it) ==
          "logs/größe.txt 12 (2024, 2, 29, 1, 1, 0) 1126\nempty 0 (2024, 2, 29, 1, 1, 0) 0\n"
          "large 3000000 (1980, 1, 1, 0, 0, 0) " +
              std::to_string(sum % 65521) + "\n");
}

TEST_CASE("an archive without entries is one") {
    ZipWriter zip;
    CHECK_FALSE(zip.write("nowhere"));
    zip.finish();
    CHECK(read_by_python(zip.take(), list_it).empty());
}

TEST_CASE("entries without end are refused") {
    ZipWriter zip;
    std::size_t entries = 0;
    while (zip.begin("entry", WallTime{}) && entries < 100'000) ++entries;
    CHECK(entries == 65'000);
    CHECK_FALSE(zip.begin(std::string(70'000, 'x'), WallTime{}));
    zip.finish();
    const auto count = R"(import sys, zipfile
print(len(zipfile.ZipFile(sys.argv[1]).infolist()))
)";
    CHECK(read_by_python(zip.take(), count) == "65000\n");
}
