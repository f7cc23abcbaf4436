#include "agent/logs/blob.hpp"

#include "agent/logs/storage_test.hpp"

#include <doctest/doctest.h>

using namespace skerry;
using namespace skerry::agent;
using skerry::agent::testing::FakeStorage;
using namespace std::chrono_literals;

namespace {

Task<> write_two(Blob& blob, Result<>& result) {
    result = co_await blob.write("one");
    if (result) result = co_await blob.finish("two");
}

Result<> write(sim::World& world, FakeStorage& storage, BlobKind kind) {
    Result<> result = fail(Errc::internal, "not done");
    auto blob = storage.blob(std::move(kind));
    world.run(write_two(blob, result));
    world.run(storage.close());
    return result;
}

std::string_view header(const codec::HttpRequest& request, std::string_view name) {
    return request.headers.find(name).value_or("(none)");
}

}  // namespace

TEST_CASE("a text is appended piece by piece, each at its place, with the SAS kept") {
    sim::World world;
    FakeStorage storage(world);
    REQUIRE(write(world, storage, {.append = true, .content_type = "text/plain", .content_encoding = "gzip"}));
    REQUIRE(storage.requests.size() == 3);
    const auto& created = storage.requests[0];
    CHECK(created.method == "PUT");
    CHECK(created.target == "/acct/logs/hub/d/m%20x.log?sv=1&sig=s%2Fcret");
    CHECK(header(created, "x-ms-blob-type") == "AppendBlob");
    CHECK(header(created, "x-ms-blob-content-type") == "text/plain");
    CHECK(header(created, "x-ms-blob-content-encoding") == "gzip");
    CHECK(header(created, "Content-Length") == "0");
    CHECK(header(created, "Host") == "localhost:10000");
    CHECK(storage.requests[1].target == "/acct/logs/hub/d/m%20x.log?sv=1&sig=s%2Fcret&comp=appendblock");
    CHECK(storage.requests[1].body == "one");
    CHECK(header(storage.requests[1], "x-ms-blob-condition-appendpos") == "0");
    CHECK(storage.requests[2].body == "two");
    CHECK(header(storage.requests[2], "x-ms-blob-condition-appendpos") == "3");
}

TEST_CASE("any other blob is a list of blocks that appears when it is whole") {
    sim::World world;
    FakeStorage storage(world);
    REQUIRE(write(world, storage, {.content_type = "application/json", .content_encoding = ""}));
    REQUIRE(storage.requests.size() == 3);
    CHECK(storage.requests[0].query("comp") == "block");
    const auto& list = storage.requests[2];
    CHECK(list.query("comp") == "blocklist");
    CHECK(list.body.find("<Latest>" + *storage.requests[0].query("blockid") + "</Latest>") != std::string::npos);
    CHECK(header(list, "x-ms-blob-content-type") == "application/json");
}

TEST_CASE("a call that failed is tried again, and a piece that had arrived is not appended twice") {
    sim::World world;
    FakeStorage storage(world);
    storage.statuses = {503, 201, 500, 412};
    REQUIRE(write(world, storage, {.append = true, .content_type = "text/plain", .content_encoding = ""}));
    REQUIRE(storage.requests.size() == 5);
    CHECK(header(storage.requests[4], "x-ms-blob-condition-appendpos") == "3");
}

TEST_CASE("what makes no sense to try again is given up, and no error shows the signature") {
    sim::World world;
    FakeStorage storage(world);
    storage.statuses = {403};
    const auto result = write(world, storage, {.append = true, .content_type = "text/plain", .content_encoding = ""});
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::unauthorized);
    CHECK(result.error().text.find("cret") == std::string::npos);
    CHECK(storage.requests.size() == 1);
}

TEST_CASE("a SAS URL names a container over HTTPS, or on this machine") {
    const auto place = parse_sas_url("https://acct.blob.core.windows.net/c?sv=1", "");
    REQUIRE(place);
    CHECK(place->host == "acct.blob.core.windows.net");
    CHECK(place->port == 443);
    CHECK(place->path == "/c");
    CHECK(parse_sas_url("https://$upstream:8443/c?x", "parent")->host == "parent");
    CHECK_FALSE(parse_sas_url("https://$upstream/c?x", ""));
    CHECK(parse_sas_url("http://127.0.0.1:10000/acct/c?x", "").has_value());
    CHECK(parse_sas_url("http://[::1]:10000/c?x", "")->host == "::1");
    for (const auto* bad : {"", "ftp://h/c", "http://example.com/c?x", "https:///c", "https://h?x", "https://h/?x",
                            "https://h:0/c", "https://h:99999/c", "https://u@h/c", "https://h/c?a b", "https://h/c#f"})
        CHECK_FALSE_MESSAGE(parse_sas_url(bad, ""), bad);
    CHECK(parse_sas_url("http://example.com/c?sig=cret", "").error().text.find("cret") == std::string::npos);
}
