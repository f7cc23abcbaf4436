#include "engine/bundle.hpp"

#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

using namespace skerry;
using namespace skerry::engine;

namespace {
struct Folder {
    sim::TemporaryFolder own;
    std::filesystem::path path{own.path()};
    void write(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories((path / name).parent_path());
        std::ofstream(path / name) << text;
    }
};
}  // namespace

TEST_CASE("image names are split into repository and tag") {
    struct Row {
        const char* image;
        const char* repository;
        const char* tag;
    };
    for (const auto& row :
         {Row{"filter", "filter", "latest"}, Row{"filter:2", "filter", "2"},
          Row{"host:5000/a/b", "host:5000/a/b", "latest"}, Row{"host:5000/a/b:1.5", "host:5000/a/b", "1.5"},
          Row{"mcr.microsoft.com/hub:1.5@sha256:00ff", "mcr.microsoft.com/hub", "1.5"}}) {
        const auto name = parse_image_name(row.image);
        REQUIRE_MESSAGE(name, row.image);
        CHECK(name->repository == row.repository);
        CHECK(name->tag == row.tag);
    }
}

TEST_CASE("an image name can't leave the bundles' folder") {
    for (const auto* bad : {"", "../x", "a/../../x", "/etc/x", "a//b", "a:..", "a b", "a:", "./a", "a/.:1"})
        CHECK_MESSAGE(!parse_image_name(bad), bad);
}

TEST_CASE("a bundle is found by its tag first, then without, and a missing one names both paths") {
    const Folder folder;
    const auto files = storage::make_system_files();
    folder.write("r/filter/config.json", R"({"config":{"Entrypoint":["./any"]}})");
    folder.write("r/filter/2/config.json",
                 R"({"config":{"Entrypoint":["./two"],"Cmd":["-v"],"Env":["A=1=2","B="],"WorkingDir":"w"}})");

    const auto two = find_bundle(*files, folder.path, "r/filter:2");
    REQUIRE(two);
    CHECK(two->entrypoint == std::vector<std::string>{"./two"});
    CHECK(two->command == std::vector<std::string>{"-v"});
    CHECK(two->environment == std::map<std::string, std::string>{{"A", "1=2"}, {"B", ""}});
    CHECK(two->working_folder == "w");
    CHECK(two->folder == folder.path / "r/filter/2");
    CHECK(find_bundle(*files, folder.path, "r/filter:3")->entrypoint == std::vector<std::string>{"./any"});

    const auto missing = find_bundle(*files, folder.path, "r/other:1");
    REQUIRE_FALSE(missing);
    CHECK(missing.error().code == Errc::not_found);
    CHECK(missing.error().text.find((folder.path / "r/other/1/config.json").native()) != std::string::npos);
    CHECK(missing.error().text.find((folder.path / "r/other/config.json").native()) != std::string::npos);
}

TEST_CASE("a bundle's broken configuration is refused with the place") {
    for (const auto* bad : {"", "[]", "{}", R"({"config":[]})", R"({"config":{"Entrypoint":[1]}})",
                            R"({"config":{"Env":["=x"]}})", R"({"config":{"WorkingDir":1}})"}) {
        const auto bundle = parse_bundle(bad, "/b");
        REQUIRE_FALSE(bundle);
        CHECK(bundle.error().code == Errc::malformed);
    }
}
