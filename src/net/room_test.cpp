#include "net/room.hpp"

#include <doctest/doctest.h>

using namespace skerry::net;

TEST_CASE("the host with the most connections loses its oldest one") {
    CHECK_FALSE(who_goes({}));
    CHECK(who_goes({"a"}) == 0);
    CHECK(who_goes({"a", "b", "c", "b"}) == 1);
    CHECK(who_goes({"a", "a", "b", "b", "b"}) == 2);
}

TEST_CASE("an address without its port is a host") {
    CHECK(host_of("127.0.0.1:40712") == "127.0.0.1");
    CHECK(host_of("[::1]:443") == "[::1]");
    CHECK(host_of("unix") == "unix");
}
