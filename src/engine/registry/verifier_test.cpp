#include "engine/registry/verifier.hpp"

#include "base/encoding.hpp"
#include "sim/temporary_folder.hpp"
#include "sim/world.hpp"

#include <doctest/doctest.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <map>

using namespace skerry;
using namespace skerry::engine::registry;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {
// An image's manifest, and a payload for it that was signed with node's crypto.sign('sha256', payload, key).
const std::string manifest = R"({"schemaVersion":2,"layers":[]})";
const std::string other_manifest = R"({"schemaVersion":2,"layers":[1]})";
const std::string key = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvmgHUQZoo87AxhjQIsJKFsJx/xAu
zG66+iuvG00Er2HGpSSb2ZofPCuVP1F1k8yMIUmzqC0uMrg9NqLXggLVhw==
-----END PUBLIC KEY-----
)";
const std::string other_key = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEVqmV5IpOhKsMDiCj5keXLt0ONuSf
8PLwfz+wvMhCIWrUywUIbW70xSgT0WWDhwGMnWdJiskjvKqjWpZsHowtvA==
-----END PUBLIC KEY-----
)";
const std::string payload =
    R"({"critical":{"identity":{"docker-reference":"plant:5000/team/m"},"image":{"docker-manifest-digest":"sha256:6ece6defe7067e1c5455a7720c1189ad30f7f8efe78587bd7c06e64a80fe7770"},"type":"cosign container image signature"},"optional":null})";
const std::string signature =
    "MEUCIGGKk24bb0htDh8By5P//IFA/tGnVny6RH6sAv7f5GlPAiEAjMci50D2o5Gx+Iz5TJtfRELO6Q5IV66RnQT8eXOQR7M=";
// Signed with the trusted key, too, but something else.
const std::string note = R"({"critical":{"type":"a note"}})";
const std::string note_signature =
    "MEUCIQC7EF4h7uJIJDARJPOaOdsc6HullEbLlVlws7PmvcTNSgIgBV9JkC9+8D27x6UKAkqmUzBgUfP80EV5OpJE4KW2fv4=";

std::string signatures(std::initializer_list<std::pair<std::string, std::string>> all) {
    json::array layers;
    for (const auto& [signed_payload, by] : all)
        layers.push_back(
            {{"digest", digest_of(signed_payload)}, {"annotations", {{"dev.cosignproject.cosign/signature", by}}}});
    return json::serialize(json::object{{"layers", std::move(layers)}});
}

class FakeRegistry {
public:
    sim::World world;
    sim::TemporaryFolder folder;
    std::unique_ptr<storage::Files> files{storage::make_system_files()};
    std::map<std::string, std::string> content;
    std::string basic;   // what it wants, if anything
    std::string bearer;  // what it wants, if anything
    bool redirects_blobs{false};
    std::vector<std::string> asked;
    TrustPolicy policy{.rules = {{"plant:5000", Demand::signature, {key}}, {"plant:5000/bad", Demand::reject, {}}}};

    explicit FakeRegistry(bool tls = true) {
        auto listener =
            tls ? world.network().listen_tls("plant", 5000, nullptr) : world.network().listen_tcp("plant", 5000);
        REQUIRE(listener);
        listener_ = std::move(*listener);
        scope_.spawn("accept", accept());
        image("1", manifest);
    }
    ~FakeRegistry() {
        listener_->close();
        world.run(scope_.close());
    }
    void image(const std::string& tag, const std::string& body) { content["/v2/team/m/manifests/" + tag] = body; }
    void sign(const std::string& body, const std::string& manifest_of_signatures) {
        image(signature_tag(digest_of(body)), manifest_of_signatures);
        for (const auto& blob : {payload, note}) content["/v2/team/m/blobs/" + digest_of(blob)] = blob;
    }
    Result<std::string> check(const std::string& image, bool may_ask = true, json::object auth = {}) {
        Verifier verifier(Platform{world.executor(), world.clock(), world.random(), world.network(), *files},
                          {.policy = policy, .kept = folder / "kept", .certificates = folder / "certs"});
        verifier.set_insecure({}, insecure);
        return world.run(verifier.check(image, std::move(auth), may_ask));
    }
    void leave() { listener_->close(); }
    std::vector<std::string> insecure;

private:
    Task<> accept() {
        for (;;) {
            auto stream = co_await listener_->accept();
            if (!stream) co_return;
            scope_.spawn("serve", serve(std::move(*stream)));
        }
    }
    Task<> serve(std::unique_ptr<net::Stream> stream) {
        const net::HttpHandler handler = [this](codec::HttpRequest request, const net::Peer&) {
            return answer(std::move(request));
        };
        co_await net::serve_http(*stream, world.clock(), handler);
    }
    Task<codec::HttpResponse> answer(codec::HttpRequest request) {
        codec::HttpResponse out;
        const std::string path(request.raw_path());
        const auto authorization = request.headers.find("Authorization").value_or("");
        asked.push_back(request.target + (authorization.empty() ? "" : " with " + std::string(authorization)));
        if (path == "/token") {
            const auto scope = request.query("scope").value_or("");
            out.body = scope == "repository:team/m:pull" && authorization == basic ? R"({"token":"t1"})" : "{}";
            co_return out;
        }
        if (path.starts_with("/elsewhere")) {
            CHECK(authorization.empty());
            out.body = content["/v2/team/m/blobs/" + path.substr(11)];
            co_return out;
        }
        if ((!bearer.empty() || !basic.empty()) && authorization != (bearer.empty() ? basic : bearer)) {
            out.status = 401;
            out.headers.set("WWW-Authenticate",
                            bearer.empty() ? R"(Basic realm="x")"
                                           : R"(Bearer realm="https://plant:5000/token?a=1",service="s p",scope="*")");
            co_return out;
        }
        if (redirects_blobs && path.starts_with("/v2/team/m/blobs/")) {
            out.status = 307;
            out.headers.set("Location", "https://plant:5000/elsewhere" + path.substr(16));
            co_return out;
        }
        const auto found = content.find(path);
        if (found == content.end())
            out.status = 404;
        else
            out.body = found->second;
        co_return out;
    }

    std::unique_ptr<net::Listener> listener_;
    TaskScope scope_{world.executor()};
};

const std::string image = "plant:5000/team/m:1";
const std::string pinned = "plant:5000/team/m@" + digest_of(manifest);

void check_refused(const Result<std::string>& checked, std::string_view why) {
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == Errc::unauthorized);
    CHECK_MESSAGE(checked.error().text.find(why) != std::string::npos, checked.error().text);
}
}  // namespace

TEST_CASE("an image that is signed with a trusted key runs by the digest that was signed") {
    FakeRegistry registry;
    registry.sign(manifest, signatures({{payload, signature}}));
    const auto checked = registry.check(image);
    REQUIRE_MESSAGE(checked, checked.error().text);
    CHECK(*checked == pinned);
    CHECK(registry.check(pinned) == pinned);
}

TEST_CASE("an image that is not signed, or with another key, or something else that is signed, does not run") {
    FakeRegistry registry;
    check_refused(registry.check(image), "it is not signed");
    registry.sign(manifest, signatures({{payload, note_signature}}));
    check_refused(registry.check(image), "by no key that is trusted here");
    registry.sign(manifest, signatures({{note, note_signature}}));
    check_refused(registry.check(image), "is no \"cosign container image signature\"");
    registry.sign(manifest, signatures({{note, note_signature}, {payload, signature}}));
    CHECK(registry.check(image));
    registry.policy.rules[0].keys = {other_key};
    check_refused(registry.check(image), "by no key that is trusted here");
    registry.sign(manifest, "[]");
    check_refused(registry.check(image), "skerry.image_policy, scope \"plant:5000\", demands a signature");
}

TEST_CASE("a tag that was moved to an image without a signature does not run, and a signature moves nowhere") {
    FakeRegistry registry;
    registry.sign(manifest, signatures({{payload, signature}}));
    REQUIRE(registry.check(image));
    registry.image("1", other_manifest);
    check_refused(registry.check(image), "it is not signed");
    registry.sign(other_manifest, signatures({{payload, signature}}));
    check_refused(registry.check(image), "the signature is for another image");
    CHECK(registry.check(pinned) == pinned);
}

TEST_CASE("a registry that is away is answered for by what was verified before, with the keys of now") {
    FakeRegistry registry;
    registry.sign(manifest, signatures({{payload, signature}}));
    REQUIRE_FALSE(registry.check(image, false));
    REQUIRE(registry.check(image));
    registry.leave();
    CHECK(registry.check(image) == pinned);
    CHECK(registry.check(image, false) == pinned);
    const auto never_seen = registry.check("plant:5000/team/m:2");
    REQUIRE_FALSE(never_seen);
    CHECK(never_seen.error().code == Errc::unreachable);
    registry.policy.rules[0].keys = {other_key};
    CHECK_FALSE(registry.check(image));
}

TEST_CASE("rules go by the longest scope; what none holds runs as it is, and nobody is asked") {
    FakeRegistry registry;
    CHECK(registry.check("elsewhere/m:1") == "elsewhere/m:1");
    CHECK(registry.check("plant:50001/m:1") == "plant:50001/m:1");
    check_refused(registry.check("plant:5000/bad/m:1"), "may not run on this device");
    check_refused(registry.check("PLANT:5000/bad/m:1"), "may not run on this device");
    registry.policy.rules.push_back({"*", Demand::reject, {}});
    check_refused(registry.check("elsewhere/m:1"), "images of 'docker.io/elsewhere/m'");
    registry.policy.rules.push_back({"docker.io/library", Demand::accept, {}});
    CHECK(registry.check("alpine") == "alpine");
    CHECK(registry.asked.empty());
    CHECK_FALSE(registry.check("plant:5000/../m"));
}

TEST_CASE("a registry gets its credentials, at once or by a token, and a redirect gets none") {
    FakeRegistry registry;
    registry.sign(manifest, signatures({{payload, signature}}));
    registry.basic = "Basic " + base64_encode("u:p");
    const json::object auth{{"username", "u"}, {"password", "p"}};
    check_refused(registry.check(image), "wants credentials");
    check_refused(registry.check(image, true, {{"username", "u"}, {"password", "wrong"}}), "401");
    CHECK(registry.check(image, true, auth) == pinned);
    registry.bearer = "Bearer t1";
    registry.redirects_blobs = true;
    registry.asked.clear();
    CHECK(registry.check(image, true, auth) == pinned);
    REQUIRE(registry.asked.size() > 2);
    CHECK(registry.asked[1] == "/token?a=1&service=s%20p&scope=repository%3Ateam%2Fm%3Apull with " + registry.basic);
    CHECK_FALSE(registry.check(image));  // no credentials, no token
}

TEST_CASE("plain HTTP is spoken only with a registry that the engine takes for insecure") {
    FakeRegistry registry(false);
    registry.sign(manifest, signatures({{payload, signature}}));
    CHECK_FALSE(registry.check(image));
    CHECK(registry.asked.empty());
    registry.insecure = {"plant:5000"};
    CHECK(registry.check(image) == pinned);

    CHECK(is_insecure("127.0.0.1:5000", {"127.0.0.0/8"}, {}));
    CHECK(is_insecure("localhost:5000", {"127.0.0.0/8"}, {}));
    CHECK(is_insecure("[::1]:5000", {"::1/128"}, {}));
    CHECK_FALSE(is_insecure("128.0.0.1:5000", {"127.0.0.0/8"}, {}));
    CHECK_FALSE(is_insecure("127.0.0.1:5000", {"127.0.0.0/80", "127.0.0.0"}, {}));
    CHECK_FALSE(is_insecure("docker.io", {"127.0.0.0/8"}, {"plant:5000"}));
}

TEST_CASE("an image's name is taken apart as the engine does") {
    const auto text_of = [](std::string_view name) {
        const auto parsed = parse_image_name(name);
        return parsed ? parsed->text() : parsed.error().text;
    };
    CHECK(text_of("sensor") == "docker.io/library/sensor:latest");
    CHECK(text_of("team/sensor:2") == "docker.io/team/sensor:2");
    CHECK(text_of("index.docker.io/team/sensor") == "docker.io/team/sensor:latest");
    CHECK(text_of("localhost/m") == "localhost/m:latest");
    CHECK(text_of("Plant:5000/a/b:V1") == "plant:5000/a/b:V1");
    CHECK(text_of(pinned) == pinned);
    CHECK(text_of("plant:5000/team/m:1@" + digest_of(manifest)) == pinned);
    for (const auto* name :
         {"", "a@sha256:1", "a:", "a/../b", "a//b", "Upper", "p:5000/a b", "a:b:c", "h.x/", "Team/m", "h.x/a?b"})
        CHECK_MESSAGE(!parse_image_name(name), name);
}

TEST_CASE("challenges and addresses are read or refused") {
    const auto challenge = parse_challenge(R"(Bearer Realm="https://a/t", service="x\"y", scope=z)");
    REQUIRE(challenge);
    CHECK(challenge->scheme == "bearer");
    CHECK(challenge->parameters.at("realm") == "https://a/t");
    CHECK(challenge->parameters.at("service") == "x\"y");
    CHECK(challenge->parameters.at("scope") == "z");
    CHECK_FALSE(parse_challenge(""));
    CHECK_FALSE(parse_challenge(R"(Bearer realm="open)"));
    const auto url = parse_url("https://[::1]:8443/a?b=c#d");
    REQUIRE(url);
    CHECK(url->host == "::1");
    CHECK(url->authority() == "[::1]:8443");
    CHECK(url->target == "/a?b=c");
    CHECK(parse_url("http://h")->port == 80);
    for (const auto* bad : {"", "ftp://h/", "https://", "https://h:0/", "https://h:99999/", "https://h/a b",
                            "https://u@h/", "//h/", "https://h\r\n/"})
        CHECK_MESSAGE(!parse_url(bad), bad);
}
