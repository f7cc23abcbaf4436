#include "agent/logs/selection.hpp"

#include "model/twin.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

#include <array>

using namespace skerry;
using namespace skerry::agent;

namespace {

std::string frame(int stream, std::string_view text) {
    std::string out{static_cast<char>(stream), '\0', '\0', '\0'};
    for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(text.size() >> shift & 0xff));
    return out + std::string(text);
}

LogRequest request_of(std::string_view json) {
    const auto object = model::parse_object(json);
    REQUIRE(object);
    auto request = parse_log_request(*object);
    REQUIRE_MESSAGE(request, (request ? "" : request.error().text));
    return std::move(*request);
}

int refused(std::string_view json) {
    const auto payload = parse_method_payload(json);
    if (!payload) return payload.error().status;
    const auto request = parse_log_request(*payload);
    return request ? 200 : request.error().status;
}

std::string select(const std::string& filter, std::string_view stream, LogContent content = LogContent::text) {
    const auto request = request_of(R"({"items":{"id":"m","filter":)" + filter + "}}");
    LogSelection selection({"h", "d", "m"}, *request.filter_for("m"), content, LogEncoding::none);
    for (; !stream.empty(); stream.remove_prefix(std::min<std::size_t>(7, stream.size())))
        selection.feed(stream.substr(0, 7));
    REQUIRE(selection.finish());
    return selection.take();
}

std::string inflated(std::string_view bytes) {
    z_stream stream{};
    REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
    std::array<unsigned char, 4096> buffer;
    std::string out;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    int result = Z_OK;
    while (result == Z_OK) {
        stream.next_out = buffer.data();
        stream.avail_out = static_cast<uInt>(buffer.size());
        result = inflate(&stream, Z_NO_FLUSH);
        out.append(reinterpret_cast<const char*>(buffer.data()), buffer.size() - stream.avail_out);
    }
    CHECK(result == Z_STREAM_END);
    inflateEnd(&stream);
    return out;
}

}  // namespace

TEST_CASE("the first item that names a module decides its filter") {
    const auto request =
        request_of(R"({"items":[{"id":"^edgeh","filter":{"tail":1}},{"id":"all","filter":{"tail":2}}]})");
    CHECK(request.filter_for("edgeHub")->tail == 1);
    CHECK(request.filter_for("sensor")->tail == 2);
    CHECK(request.content == LogContent::json);
    CHECK(request.encoding == LogEncoding::none);
    CHECK(request_of(R"({"items":{"id":"x"}})").filter_for("sensor") == nullptr);
}

TEST_CASE("a request that can't be understood is refused with its status") {
    CHECK(refused("") == 400);
    CHECK(refused("[]") == 400);
    CHECK(refused(R"({"items":{"id":"all"}})") == 400);
    CHECK(refused(R"({"schemaVersion":"2.0","items":{"id":"all"}})") == 500);
    CHECK(refused(R"({"schemaVersion":"1.1","items":{"id":"all"}})") == 200);
    CHECK(refused(R"({"schemaVersion":"1.0"})") == 400);
    CHECK(refused(R"({"schemaVersion":"1.0","items":[]})") == 400);
    CHECK(refused(R"({"schemaVersion":"1.0","items":{"id":"("}})") == 400);
    CHECK(refused(R"x({"schemaVersion":"1.0","items":{"id":"all","filter":{"regex":"(?=x)"}}})x") == 400);
    CHECK(refused(R"({"schemaVersion":"1.0","items":{"id":"all","filter":{"tail":-1}}})") == 400);
    CHECK(refused(R"({"schemaVersion":"1.0","items":{"id":"all","filter":{"loglevel":"x"}}})") == 400);
    CHECK(refused(R"({"schemaVersion":"1.0","items":{"id":"all"},"encoding":"zip"})") == 400);
    CHECK(refused(R"({"schemaVersion":"1.0","items":{"id":"all"},"encoding":"GZip","contentType":"Text"})") == 200);
}

TEST_CASE("a line is taken apart: the engine's time, the level, the module's own time, the text") {
    const auto whole =
        parse_log_line(2, "2024-01-31T10:00:00.123456789Z <4> 2024-01-31 09:59:59.000 +00:00 [WRN] - slow disk\n");
    CHECK(whole.timestamp == "2024-01-31T10:00:00.123456789Z");
    CHECK(whole.level == 4);
    CHECK(whole.text == "[WRN] - slow disk");
    const auto own = parse_log_line(1, "<6> 2024-01-31 10:00:00.500 +01:00 [INF] - x\r\n");
    CHECK(own.timestamp == "2024-01-31T09:00:00.500Z");
    const auto bare = parse_log_line(1, "  indented");
    CHECK(bare.level == 6);
    CHECK(bare.text == "  indented");
    CHECK(bare.timestamp.empty());
    CHECK(parse_log_line(1, "<9> x").text == "<9> x");
}

TEST_CASE("loglevel means this level or a more severe one; regex looks at the text") {
    const auto stream = frame(1, "<3> bad\n") + frame(2, "<4> so so\n") + frame(1, "<6> WARN of nothing\n");
    CHECK(select(R"({"loglevel":4})", stream) == "<3> bad\n<4> so so\n");
    CHECK(select(R"({"regex":"^WARN|ba"})", stream) == "<3> bad\n<6> WARN of nothing\n");
    CHECK(select("{}", stream).size() == stream.size() - 3 * 8);
}

TEST_CASE("tail with both times is counted here, otherwise by the daemon") {
    std::string stream;
    for (const auto* text : {"one\n", "two\n", "three\n"}) stream += frame(1, text);
    CHECK(select(R"({"tail":2,"since":"2d","until":"1h"})", stream) == "two\nthree\n");
    CHECK(select(R"({"tail":2})", stream) == "one\ntwo\nthree\n");
    const auto request = request_of(R"({"items":{"id":"m","filter":{"tail":2,"since":7}}})");
    const auto options =
        LogSelection({"h", "d", "m"}, *request.filter_for("m"), LogContent::json, LogEncoding::none).options();
    CHECK(options.tail == "2");
    CHECK(options.since == "7");
    CHECK(options.timestamps);
}

TEST_CASE("a JSON log is an array of records, whatever bytes the module wrote") {
    const auto stream = frame(2, "2024-01-31T10:00:00.000000000Z <3> a \"b\"\n") + frame(1, "\xff\n");
    CHECK(select("{}", stream, LogContent::json) ==
          R"([{"iothub":"h","device":"d","id":"m","stream":"stderr","loglevel":3,"text":"a \"b\"",)"
          R"("timestamp":"2024-01-31T10:00:00.000000000Z"},)"
          R"({"iothub":"h","device":"d","id":"m","stream":"stdout","loglevel":6,"text":")"
          "\xef\xbf\xbd"
          R"(","timestamp":null}])");
    CHECK(select("{}", "", LogContent::json) == "[]");
}

TEST_CASE("a terminal's stream, which has no frames, is a log too") {
    CHECK(select("{}", "hello\r\nworld\r\nand on") == "hello\r\nworld\r\nand on");
    CHECK(select(R"({"regex":"^wor"})", "hello\r\nworld\r\nand on") == "world\r\n");
}

TEST_CASE("gzip gives what any gunzip takes") {
    const auto request = request_of(R"({"items":{"id":"all"},"encoding":"gzip"})");
    LogSelection selection({"h", "d", "m"}, *request.filter_for("m"), LogContent::text, request.encoding);
    std::string text;
    for (int i = 0; i < 10'000; ++i) {
        const auto line = "line " + std::to_string(i) + "\n";
        selection.feed(frame(1, line));
        text += line;
    }
    REQUIRE(selection.finish());
    const auto first = selection.take(100);
    CHECK(first.size() == 100);
    CHECK(inflated(first + selection.take()) == text);
}

TEST_CASE("a hostile pattern costs no more than its text") {
    const auto pattern = Pattern::create("(a*)*(a*)*(a*)*b", Pattern::Case::sensitive);
    REQUIRE(pattern);
    CHECK_FALSE(pattern->found_in(std::string(100'000, 'a')));
    CHECK_FALSE(Pattern::create(std::string(2'000, 'a'), Pattern::Case::sensitive));
    CHECK_FALSE(Pattern::create("((a{100}){100}){100}", Pattern::Case::sensitive));
}
