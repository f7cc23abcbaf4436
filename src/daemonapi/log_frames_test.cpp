#include "daemonapi/log_frames.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace skerry::daemonapi;

TEST_CASE("log frames are put together from any pieces, and anything else is noticed") {
    const std::string stream =
        std::string("\x01\0\0\0\0\0\0\x03", 8) + "one" + std::string("\x02\0\0\0\0\0\0\x02", 8) + "up";
    LogFrames frames;
    std::string text;
    for (const char byte : stream) {
        frames.feed({&byte, 1});
        while (auto frame = frames.next()) text += std::to_string(frame->stream) + frame->text;
    }
    CHECK(text == "1one2up");
    CHECK_FALSE(frames.broken());
    frames.feed("plain text, no frames");
    CHECK_FALSE(frames.next());
    CHECK(frames.broken());
}

TEST_CASE("a terminal's stream, which has no frames, is standard output") {
    LogFrames frames;
    frames.feed("hello");
    const auto frame = frames.next();
    REQUIRE(frame);
    CHECK(frame->stream == 1);
    CHECK(frame->text == "hello");
    CHECK(frames.plain());
    frames.feed(std::string_view("\x01\0\0\0\0\0\0\x03", 8));
    CHECK(frames.next()->text.size() == 8);
    CHECK_FALSE(frames.broken());
}

TEST_CASE("a frame of absurd length is not waited for") {
    LogFrames frames;
    frames.feed(std::string_view("\x01\0\0\0\xff\0\0\0", 8));
    CHECK_FALSE(frames.next());
    CHECK(frames.broken());
}

TEST_CASE("of a frame whose end never came, what is there can be had") {
    LogFrames frames;
    frames.feed(
        std::string_view("\x02\0\0\0\0\0\0\x09"
                         "abc",
                         11));
    CHECK_FALSE(frames.next());
    const auto cut = frames.cut_off();
    REQUIRE(cut);
    CHECK(cut->stream == 2);
    CHECK(cut->text == "abc");
    CHECK_FALSE(frames.cut_off());
    LogFrames head_only;
    head_only.feed(std::string_view("\x01\0\0", 3));
    CHECK_FALSE(head_only.next());
    CHECK_FALSE(head_only.cut_off());
}
