#include "engine/module_process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace skerry::engine {

namespace {
constexpr int could_not_run = 127;

void tell(int report, char kind, std::string text) {
    for (char& c : text)
        if (c == '\n') c = ' ';
    text.insert(text.begin(), kind);
    text += '\n';
    while (::write(report, text.data(), text.size()) < 0 && errno == EINTR) {}
}

[[noreturn]] void give_up(int report, const std::string& what, int number) {
    tell(report, 'e', what + ": " + std::strerror(number));
    ::_exit(could_not_run);
}

void wait_for_gate(int gate) {
    char byte = 0;
    ssize_t got = 0;
    while ((got = ::read(gate, &byte, 1)) < 0 && errno == EINTR) {}
    if (got != 1) ::_exit(could_not_run);
}

void join_cgroup(const std::string& procs, int report) {
    const int file = ::open(procs.c_str(), O_WRONLY | O_CLOEXEC);
    const bool joined = file >= 0 && ::write(file, "0", 1) == 1;
    if (!joined) tell(report, 'n', "the resource limits could not be applied: " + procs + ": " + std::strerror(errno));
    if (file >= 0) ::close(file);
}

void default_signals() {
    for (int number = 1; number < NSIG; ++number) std::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

std::vector<char*> pointers(std::vector<std::string>& values) {
    std::vector<char*> out;
    out.reserve(values.size() + 1);
    for (auto& value : values) out.push_back(value.data());
    out.push_back(nullptr);
    return out;
}
}  // namespace

void redirect_sockets(std::vector<std::string>& environment, const std::string& socket_folder) {
    const auto inner = "unix://" + std::string(inner_socket_folder) + '/';
    for (auto& entry : environment) {
        const auto equals = entry.find('=');
        if (equals == entry.npos) continue;
        const auto name = std::string_view(entry).substr(0, equals);
        if (name != "IOTEDGE_WORKLOADURI" && name != "IOTEDGE_MANAGEMENTURI") continue;
        if (!std::string_view(entry).substr(equals + 1).starts_with(inner)) continue;
        entry.replace(equals + 1, inner.size(), "unix://" + socket_folder + '/');
    }
}

void become_module(Launch launch, const ModulePipes& pipes) {
    ::setsid();
    wait_for_gate(pipes.gate);
    for (const auto& procs : launch.cgroup_procs) join_cgroup(procs, pipes.report);

    bool sockets_placed = false;
    for (auto& note : prepare_mounts(launch, sockets_placed)) tell(pipes.report, 'n', std::move(note));
    if (!launch.socket_folder.empty() && !sockets_placed) redirect_sockets(launch.environment, launch.socket_folder);

    if (::chdir(launch.working_folder.c_str()) != 0)
        give_up(pipes.report, "working folder " + launch.working_folder, errno);
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0 || ::dup2(pipes.out, STDOUT_FILENO) < 0 ||
        ::dup2(pipes.err, STDERR_FILENO) < 0)
        give_up(pipes.report, "standard streams", errno);

    default_signals();
    auto arguments = pointers(launch.arguments);
    auto variables = pointers(launch.environment);
    environ = variables.data();  // execvp looks the name up in the module's own PATH
    ::execvp(arguments[0], arguments.data());
    give_up(pipes.report, "running " + launch.arguments[0], errno);
}

}  // namespace skerry::engine
