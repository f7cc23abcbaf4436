#include "storage/files.hpp"

#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

using namespace skerry;
using namespace skerry::storage;

namespace {
unsigned permissions(const std::filesystem::path& path) {
    struct stat about{};
    REQUIRE(::stat(path.c_str(), &about) == 0);
    return about.st_mode & 0777;
}
}  // namespace

TEST_CASE("a file gives back what was written, and reads are short only at its end") {
    const sim::TemporaryFolder folder;
    const auto files = make_system_files();
    auto file = files->open(folder / "a", Files::Mode::create).value();
    REQUIRE(file->write_at(3, "hello"));
    REQUIRE(file->sync_data());
    CHECK(file->size().value() == 8);
    std::string out = "left over";
    CHECK(file->read_at(3, 5, out).value() == 5);
    CHECK(out == "hello");
    CHECK(file->read_at(6, 100, out).value() == 2);
    CHECK(out == "lo");
    CHECK(file->read_at(8, 1, out).value() == 0);
    CHECK(file->read_at(0, 3, out).value() == 3);
    CHECK(out == std::string(3, '\0'));
    REQUIRE(file->truncate(4));
    CHECK(file->size().value() == 4);
    REQUIRE(file->allocate(4096));
    CHECK(file->size().value() == 4096);
    REQUIRE(file->allocate(10));
    CHECK(file->size().value() == 4096);
    CHECK(permissions(folder / "a") == 0600);
}

TEST_CASE("errors of files say what was wrong and name the file") {
    const sim::TemporaryFolder folder;
    const auto files = make_system_files();
    const auto missing = files->open(folder / "none", Files::Mode::read);
    CHECK(missing.error().code == Errc::not_found);
    CHECK(missing.error().text.find("none") != std::string::npos);
    REQUIRE(files->open(folder / "a", Files::Mode::create));
    CHECK(files->open(folder / "a", Files::Mode::create).error().code == Errc::conflict);
    CHECK(files->list(folder / "none").error().code == Errc::not_found);
    CHECK(files->remove(folder / "none").error().code == Errc::not_found);
    CHECK(files->rename(folder / "none", folder / "b").error().code == Errc::not_found);
    CHECK_FALSE(files->make_folders(folder / "a", 0755));
    CHECK_FALSE(files->make_folders(folder / "a/b", 0755));
}

TEST_CASE("folders are made with their parents and listed in order") {
    const sim::TemporaryFolder folder;
    const auto files = make_system_files();
    REQUIRE(files->make_folders(folder / "x/y/z/", 0711));
    REQUIRE(files->make_folders(folder / "x/y/z", 0700));
    CHECK(permissions(folder / "x/y") == 0711);
    CHECK(permissions(folder / "x/y/z") == 0711);
    for (const auto* name : {"c", "a", "b"}) REQUIRE(files->open(folder / "x" / name, Files::Mode::create));
    CHECK(files->list(folder / "x").value() == std::vector<std::string>{"a", "b", "c", "y"});
    REQUIRE(files->remove(folder / "x/a"));
    CHECK_FALSE(files->exists(folder / "x/a"));
    REQUIRE(files->sync_folder(folder / "x"));
    const auto space = files->space(folder.path()).value();
    CHECK(space.total > 0);
    CHECK(space.available <= space.total);
}

TEST_CASE("a small file is replaced whole, with the permissions asked for") {
    const sim::TemporaryFolder folder;
    const auto files = make_system_files();
    REQUIRE(replace_file(*files, folder / "state", "one"));
    CHECK(permissions(folder / "state") == 0600);
    REQUIRE(replace_file(*files, folder / "state.new", "left by a crash"));
    REQUIRE(replace_file(*files, folder / "state", "two", 0644));
    CHECK(permissions(folder / "state") == 0644);
    CHECK(read_file(*files, folder / "state").value() == "two");
    CHECK(files->list(folder.path()).value() == std::vector<std::string>{"state"});
    CHECK(replace_file(*files, folder / "none/state", "three").error().code == Errc::not_found);
}

TEST_CASE("a file larger than the limit is refused") {
    const sim::TemporaryFolder folder;
    const auto files = make_system_files();
    REQUIRE(replace_file(*files, folder / "big", std::string(200'000, 'x')));
    CHECK(read_file(*files, folder / "big").value().size() == 200'000);
    CHECK(read_file(*files, folder / "big", 200'000).has_value());
    CHECK(read_file(*files, folder / "big", 199'999).error().code == Errc::malformed);
    CHECK(read_file(*files, folder / "none").error().code == Errc::not_found);
}
