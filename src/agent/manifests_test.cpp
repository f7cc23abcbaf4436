#include "agent/deployment.hpp"
#include "agent/tables_test.hpp"
#include "model/twin.hpp"

#include <doctest/doctest.h>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

using namespace skerry::agent;
namespace json = boost::json;

namespace {

json::object manifest_in(const json::object& test) {
    if (const auto* whole = test.if_contains("manifest")) return whole->as_object();
    const auto base = std::filesystem::path(SKERRY_SOURCE_DIR) / "tests/data/manifests/base.manifest";
    auto manifest = read_json(base).as_object();
    skerry::model::merge_patch(manifest, test.at("change").as_object());
    return manifest;
}

void run_case(const json::object& test) {
    const auto made = make_deployment(manifest_in(test), 1, {});
    const auto expected = test.at("code").to_number<int>();
    if (made) {
        CHECK(expected == 200);
        return;
    }
    CHECK(made.error().code == expected);
    if (const auto* words = test.if_contains("says"))
        for (const auto& word : words->as_array())
            CHECK_MESSAGE(made.error().text.find(std::string_view(word.as_string())) != std::string::npos,
                          made.error().text);
}

}  // namespace

TEST_CASE("manifests are accepted or refused as in the tables of tests/data/manifests") {
    std::size_t cases = 0;
    for (const auto& file : table_files("manifests")) {
        const auto table = read_json(file);
        for (const auto& test : table.as_array()) {
            const auto& object = test.as_object();
            INFO(file.filename().string(), ": ", std::string(object.at("name").as_string()));
            run_case(object);
            ++cases;
        }
    }
    CHECK(cases >= 35);
}
