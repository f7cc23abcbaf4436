#include "cli/routes/commands.hpp"

#include "cli/document.hpp"
#include "cli/routes/deployment.hpp"
#include "cli/routes/lines.hpp"
#include "cli/routes/lint.hpp"
#include "cli/routes/message.hpp"
#include "cli/routes/trial.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/core.h>

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

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

struct Arguments {
    std::string deployment;
    std::string message;
    std::string module;
    std::string output;
    bool json{false};
};

int report(const Error& error) {
    fmt::print(stderr, "skerry: {}\n", error.text);
    return 2;
}

Result<DeploymentRoutes> load_deployment(const std::string& name, storage::Files& files) {
    const auto document = read_document(name, files);
    if (!document) return fail(document.error());
    auto deployment = read_deployment(*document);
    if (!deployment) return fail(deployment.error().while_doing(fmt::format("'{}'", name)));
    return deployment;
}

Result<model::Message> load_message(const Arguments& arguments, storage::Files& files) {
    auto document = read_document(arguments.message, files);
    if (!document) return fail(document.error());
    // A body of JSON is sent as a module would send it.
    const auto body = document->find("body");
    const bool as_json = body != document->end() && !body->value().is_string() && !body->value().is_null();
    if (as_json) body->value() = boost::json::serialize(body->value());
    auto message = read_message(*document);
    if (!message) return message;
    if (as_json) {
        if (!message->system_property("contentType")) message->set_system_property("contentType", "application/json");
        if (!message->system_property("contentEncoding")) message->set_system_property("contentEncoding", "utf-8");
    }
    if (!arguments.module.empty()) message->set_system_property("connectionModuleId", arguments.module);
    if (!arguments.output.empty()) message->set_system_property("outputName", arguments.output);
    if (message->system_property("outputName") && !message->system_property("connectionModuleId"))
        return fail(Errc::malformed, "only modules have outputs: say with --module which one sends");
    return message;
}

Task<int> run_test(Arguments arguments, Platform platform) {
    const auto deployment = load_deployment(arguments.deployment, platform.files);
    if (!deployment) co_return report(deployment.error());
    const auto message = load_message(arguments, platform.files);
    if (!message) co_return report(message.error());
    const auto trials = try_routes(*deployment, *message);
    if (arguments.json)
        fmt::print("{}\n", boost::json::serialize(trial_json(trials, *deployment)));
    else
        fmt::print("{}", trial_table(trials, *deployment));
    co_return 0;
}

Task<int> run_lint(Arguments arguments, Platform platform) {
    const auto deployment = load_deployment(arguments.deployment, platform.files);
    if (!deployment) co_return report(deployment.error());
    const auto findings = lint(*deployment);
    boost::json::array lines;
    for (const auto& finding : findings) {
        lines.push_back(boost::json::object{{"route", finding.route}, {"text", finding.text}});
        if (!arguments.json) fmt::print("{}\n", finding.text);
    }
    if (arguments.json) fmt::print("{}\n", boost::json::serialize(lines));
    if (findings.empty() && !arguments.json) fmt::print("{} routes, nothing to say\n", deployment->routes.size());
    co_return findings.empty() ? 0 : 1;
}

void add_test(CLI::App& route, Invocation& invocation) {
    auto* const test = route.add_subcommand("test", "where a message goes by a deployment's routes, and why not");
    const auto arguments = std::make_shared<Arguments>();
    test->add_option("DEPLOYMENT", arguments->deployment, "a deployment manifest")->required();
    test->add_option("MESSAGE", arguments->message, "a message as JSON, or a file with it")->required();
    test->add_option("-m,--module", arguments->module, "the module that sends it; else a device does");
    test->add_option("-o,--output", arguments->output, "the output that it is sent on");
    test->add_flag("--json", arguments->json, "for programs");
    test->footer("The message: {\"body\": \"…\" or JSON, \"properties\": {…}, \"systemProperties\": {…}}.");
    test->callback([arguments, &invocation] {
        invocation.action = [arguments](Platform platform, Event&) { return run_test(*arguments, platform); };
    });
}

void add_lint(CLI::App& route, Invocation& invocation) {
    auto* const command = route.add_subcommand("lint", "look for mistakes in a deployment's routes");
    const auto arguments = std::make_shared<Arguments>();
    command->add_option("DEPLOYMENT", arguments->deployment, "a deployment manifest")->required();
    command->add_flag("--json", arguments->json, "for programs");
    command->footer("Exit status: 0 nothing found, 1 findings, 2 the manifest can't be read.");
    command->callback([arguments, &invocation] {
        invocation.action = [arguments](Platform platform, Event&) { return run_lint(*arguments, platform); };
    });
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
    add_test(*route, invocation);
    add_lint(*route, invocation);
    eval->callback([&invocation] { invocation.filter = evaluate_lines; });
}

}  // namespace skerry::cli
