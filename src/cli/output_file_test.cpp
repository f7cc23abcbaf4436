#include "cli/output_file.hpp"

#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

using namespace skerry;
using namespace skerry::cli;
namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& file) {
    std::stringstream out;
    out << std::ifstream(file).rdbuf();
    return out.str();
}

std::size_t files_in(const fs::path& folder) {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_CASE("a file appears when it is whole, and only its owner may read it") {
    const sim::TemporaryFolder folder;
    const auto name = folder / "b.zip";
    auto file = OutputFile::open(name);
    REQUIRE(file);
    REQUIRE(file->write("first, "));
    REQUIRE(file->write("second"));
    CHECK_FALSE(fs::exists(name));
    REQUIRE(file->finish());
    CHECK(content(name) == "first, second");
    CHECK(file->written() == 13);
    CHECK((fs::status(name).permissions() & fs::perms::mask) == (fs::perms::owner_read | fs::perms::owner_write));
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("what was there stays when the new file does not get whole, and goes when it does") {
    const sim::TemporaryFolder folder;
    const auto name = folder / "b.zip";
    std::ofstream(name) << "before";
    fs::create_symlink(name, folder / "link.zip");
    {
        auto file = OutputFile::open(name);
        REQUIRE(file->write("half"));
    }
    CHECK(content(name) == "before");
    CHECK(files_in(folder.path()) == 2);
    auto file = OutputFile::open(folder / "link.zip");
    REQUIRE(file->write("after"));
    REQUIRE(file->finish());
    CHECK(content(name) == "after");
    CHECK(fs::is_symlink(folder / "link.zip"));
}

TEST_CASE("a device is written to, not replaced") {
    auto file = OutputFile::open("/dev/null");
    REQUIRE(file);
    REQUIRE(file->write("gone"));
    REQUIRE(file->finish());
    CHECK(fs::is_character_file("/dev/null"));
}

TEST_CASE("where nothing can be written is told before anything is done") {
    const sim::TemporaryFolder folder;
    const auto missing = OutputFile::open(folder / "no" / "b.zip");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == Errc::not_found);
    CHECK(missing.error().text.contains("no/b.zip"));
    CHECK(OutputFile::open(folder.path()).error().text.contains("is a folder"));
    std::ofstream(folder / "file") << "x";
    CHECK_FALSE(OutputFile::open(folder / "file" / "b.zip"));
}
