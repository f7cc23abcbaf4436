// The example of README.md, compiled here; a test keeps both the same.
// [example]
#include "sdk/blocking_module_client.hpp"

#include <cstdio>
#include <string>

using namespace skerry;

int run_example() {
    const auto created = sdk::BlockingModuleClient::from_environment();
    if (!created) return std::fprintf(stderr, "%s\n", created.error().text.c_str()), 1;
    auto& client = **created;

    // Passes every message of "input1" on to "output1"; an error here makes the hub deliver it again.
    client.set_input_handler("input1", [&](const sdk::Message& received) -> Result<> {
        sdk::Message passed_on = received;
        passed_on.properties.emplace_back("seen-by", "example");
        return client.send_event("output1", passed_on, sdk::Retry::no);
    });
    client.set_method_handler("hello", [](const std::string&) { return sdk::MethodReply{200, R"("hello to you")"}; });
    client.set_desired_handler([](const std::string& desired) { std::printf("desired: %s\n", desired.c_str()); });

    if (const auto opened = client.open(); !opened) std::fprintf(stderr, "%s\n", opened.error().text.c_str());
    if (const auto reported = client.report(R"({"state":"up"})"); !reported) return 1;
    client.wait();
    return 0;
}
// [/example]

#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

namespace {
std::string text_of(const std::string& name) {
    std::ifstream in(std::string(SKERRY_SOURCE_DIR "/src/sdk/") + name);
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
}

// What lies between the two, without them.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
    const auto from = text.find(begin);
    REQUIRE(from != std::string::npos);
    const auto to = text.find(end, from + begin.size());
    REQUIRE(to != std::string::npos);
    return text.substr(from + begin.size(), to - from - begin.size());
}
}  // namespace

TEST_CASE("the example of the README is the one that compiles") {
    CHECK(between(text_of("README.md"), "```cpp\n", "```\n") ==
          between(text_of("example_test.cpp"), "// [example]\n", "// [/example]\n"));
}

TEST_CASE("the example says what is missing when it is started outside of a device") { CHECK(run_example() == 1); }
