#include "cli/route_commands.hpp"

#include "cli/route_lines.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fmt/core.h>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

namespace skerry::cli {

namespace {
constexpr std::size_t longest_line = 16 * 1024 * 1024;

// Answers every whole line of `input` and takes it away.
std::string answer_lines(std::string& input) {
    std::string output;
    std::size_t from = 0;
    for (auto end = input.find('\n'); end != std::string::npos; end = input.find('\n', from)) {
        output += evaluate_line(std::string_view(input).substr(from, end - from));
        output += '\n';
        from = end + 1;
    }
    input.erase(0, from);
    return output;
}

bool write_out(const std::string& text) {
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

// What can be answered is answered before more is waited for, so that the command serves as a co-process.
int evaluate_lines() {
    std::string input;
    std::array<char, 64 * 1024> piece{};
    for (;;) {
        const auto got = ::read(STDIN_FILENO, piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            fmt::print(stderr, "skerry: reading standard input: {}\n", std::strerror(errno));
            return 1;
        }
        if (got == 0) break;
        input.append(piece.data(), static_cast<std::size_t>(got));
        if (!write_out(answer_lines(input))) return 1;
        if (input.size() > longest_line) {
            fmt::print(stderr, "skerry: a line is longer than {} bytes\n", longest_line);
            return 1;
        }
    }
    if (!input.empty()) input += '\n';
    return write_out(answer_lines(input)) ? 0 : 1;
}
}  // namespace

void add_route_commands(CLI::App& app, Invocation& invocation) {
    auto* const route = app.add_subcommand("route", "try the routing language");
    route->require_subcommand(1);
    auto* const eval = route->add_subcommand("eval", "evaluate conditions: JSON lines in, JSON lines out");
    eval->footer(
        "Each line of standard input: {\"condition\": \"temperature > '20'\", \"message\": {\"body\": \"…\",\n"
        "\"properties\": {\"temperature\": \"21\"}, \"systemProperties\": {\"contentType\": \"application/json\"}}}\n"
        "Each line of output: {\"result\": \"true\"|\"false\"|\"undefined\"} or {\"error\": \"…\"}");
    eval->callback([&invocation] { invocation.filter = evaluate_lines; });
}

}  // namespace skerry::cli
