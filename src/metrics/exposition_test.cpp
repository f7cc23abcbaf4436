#include "metrics/exposition.hpp"

#include <doctest/doctest.h>

using namespace skerry::metrics;

TEST_CASE("label values can't break the format") {
    CHECK(label_text({{"a", "x\"y\\z\n"}, {"b", ""}}) == R"(a="x\"y\\z\n",b="")");
    Exposition out("c=\"1\"");
    out.family("n_total", "counter", "What it is");
    out.sample("", std::uint64_t{3});
    out.sample(label_text({{"a", "b"}}), 0.5);
    CHECK(out.take() ==
          "# HELP n_total What it is\n# TYPE n_total counter\nn_total{c=\"1\"} 3\nn_total{a=\"b\",c=\"1\"} 0.5\n");
}
