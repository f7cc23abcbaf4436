#include "iothub/auth_chain.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::iothub;

TEST_CASE("an auth chain is read leaf first, and written as it was read") {
    using Chain = std::vector<std::string>;
    CHECK(parse_auth_chain("leaf;edge3;edge2").value() == Chain{"leaf", "edge3", "edge2"});
    CHECK(parse_auth_chain(" edge3/m ;; edge3; ").value() == Chain{"edge3/m", "edge3"});
    CHECK(parse_auth_chain("").value().empty());
    CHECK(parse_auth_chain(";").value().empty());
    CHECK(format_auth_chain({"leaf", "edge3"}) == "leaf;edge3");
    for (const auto* bad : {"a b;c", "a/b/c", "/m", "a/", "a;\x01"})
        CHECK_MESSAGE(parse_auth_chain(bad).error().code == Errc::malformed, bad);
    std::string longest = "a";
    for (int i = 1; i < 16; ++i) longest += ";a";
    CHECK(parse_auth_chain(longest).value().size() == 16);
    CHECK_FALSE(parse_auth_chain(longest + ";a"));
}
