#include "model/identity.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace skerry;
using model::Identity;

TEST_CASE("an id is 1 to 128 characters of IoT Hub's alphabet") {
    for (const std::string_view good : {"a", "Dev-1", "$edgeHub", "a:b.c+d%e_f#g*h?i!j(k)l,m=n@o$p'q"}) {
        CAPTURE(good);
        CHECK(model::is_valid_id(good));
    }
    CHECK(model::is_valid_id(std::string(128, 'x')));
    for (const std::string_view bad : {"", " ", "a b", "a/b", "a;b", "a\nb", "gerät", "a\"b", "a&b"}) {
        CAPTURE(bad);
        CHECK_FALSE(model::is_valid_id(bad));
    }
    CHECK_FALSE(model::is_valid_id(std::string(129, 'x')));
}

TEST_CASE("an identity is a device or a module of a device, and its id reads back") {
    const auto device = Identity::parse("d");
    REQUIRE(device);
    CHECK_FALSE(device->is_module());
    CHECK(device->id() == "d");
    const auto module = Identity::parse("d/$edgeHub");
    REQUIRE(module);
    CHECK(module->is_module());
    CHECK(module->device_id() == "d");
    CHECK(module->module_id() == "$edgeHub");
    CHECK(Identity::parse(module->id()) == *module);
    CHECK(*device != *module);
    CHECK(*Identity::device("D") != *device);
}

TEST_CASE("a bad id is refused with a text that can be logged") {
    for (const std::string_view bad : {"", "/", "d/", "/m", "d/m/x", "d\n"}) {
        CAPTURE(bad);
        const auto identity = Identity::parse(bad);
        REQUIRE_FALSE(identity);
        CHECK(identity.error().code == Errc::malformed);
        CHECK(identity.error().text.find('\n') == std::string::npos);
    }
    CHECK(Identity::module("d", "a b").error().text.find("'a b' is no valid module id") == 0);
}

TEST_CASE("identities are keys of ordered and hashed containers") {
    const std::hash<Identity> hash;
    CHECK(hash(*Identity::parse("a/b")) == hash(*Identity::module("a", "b")));
    CHECK(hash(*Identity::parse("a/b")) != hash(*Identity::parse("b/a")));
    const std::set<Identity> ids{*Identity::parse("b"), *Identity::parse("a/m"), *Identity::parse("a")};
    CHECK(ids.begin()->id() == "a");
}
