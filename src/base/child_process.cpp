#include "base/child_process.hpp"

#include "base/descriptor.hpp"
#include "base/task_scope.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

extern char** environ;  // NOLINT: the process's environment, as POSIX names it

namespace skerry {

namespace asio = boost::asio;

struct ChildProcess::State {
    State(pid_t child, int pid_descriptor, const Executor& executor) : pid(child), handle(executor, pid_descriptor) {}

    void reap() {
        int status = 0;
        if (exit_code || ::waitpid(pid, &status, WNOHANG) != pid) return;
        exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

    pid_t pid;
    asio::posix::stream_descriptor handle;  // a pidfd: readable when the process has ended
    std::optional<Descriptor> output;
    std::optional<int> exit_code;
};

namespace {
std::vector<std::string> merged_environment(const std::map<std::string, std::string>& extra) {
    std::map<std::string, std::string> merged;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string text(*entry);
        const auto at = text.find('=');
        if (at != std::string::npos) merged[text.substr(0, at)] = text.substr(at + 1);
    }
    for (const auto& [name, value] : extra) merged[name] = value;
    std::vector<std::string> out;
    out.reserve(merged.size());
    for (const auto& [name, value] : merged) out.push_back(name + '=' + value);
    return out;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (auto& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

// What posix_spawn needs beside the arguments; freed with the object.
class SpawnSetup {
public:
    SpawnSetup() {
        ::posix_spawn_file_actions_init(&actions_);
        ::posix_spawnattr_init(&attributes_);
        ::posix_spawnattr_setflags(&attributes_,
                                   POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
        sigset_t all;
        ::sigfillset(&all);
        ::posix_spawnattr_setsigdefault(&attributes_, &all);
        sigset_t none;
        ::sigemptyset(&none);
        ::posix_spawnattr_setsigmask(&attributes_, &none);
        ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    }
    ~SpawnSetup() {
        ::posix_spawn_file_actions_destroy(&actions_);
        ::posix_spawnattr_destroy(&attributes_);
    }
    SpawnSetup(const SpawnSetup&) = delete;
    SpawnSetup& operator=(const SpawnSetup&) = delete;

    void send_output_to(const std::filesystem::path& file) {
        ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        ::posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
    }

    void send_output_to(int descriptor) {
        ::posix_spawn_file_actions_adddup2(&actions_, descriptor, STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(&actions_, descriptor, STDERR_FILENO);
    }

    posix_spawn_file_actions_t actions_;
    posix_spawnattr_t attributes_;
};

// Both ends close on exec; the child's copies are made for it.
struct Pipe {
    Pipe() = default;
    ~Pipe() {
        if (write_end >= 0) ::close(write_end);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    Result<> open(const Executor& executor) {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(system_error("pipe", errno));
        write_end = ends[1];
        auto adopted = Descriptor::adopt(executor, ends[0]);
        if (!adopted) return std::unexpected(adopted.error());
        read_end = std::move(*adopted);
        return {};
    }

    std::optional<Descriptor> read_end;
    int write_end{-1};
};
}  // namespace

Result<ChildProcess> ChildProcess::start(const ChildOptions& options, Executor executor) {
    SpawnSetup setup;
    if (options.output) setup.send_output_to(*options.output);
    Pipe pipe;
    if (options.piped) {
        if (auto opened = pipe.open(executor); !opened) return std::unexpected(opened.error());
        setup.send_output_to(pipe.write_end);
    }
    auto arguments = options.arguments;
    auto environment = merged_environment(options.environment);
    pid_t pid = -1;
    const int failed = ::posix_spawn(&pid, arguments.front().c_str(), &setup.actions_, &setup.attributes_,
                                     pointers_to(arguments).data(), pointers_to(environment).data());
    if (failed != 0) return fail(system_error("starting " + arguments.front(), failed));
    const auto descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (descriptor < 0) {
        const int why = errno;
        ::kill(-pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        return fail(system_error("pidfd_open", why));
    }
    auto state = std::make_unique<State>(pid, descriptor, executor);
    state->output = std::move(pipe.read_end);
    return ChildProcess(std::move(state));
}

ChildProcess::ChildProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}
ChildProcess::ChildProcess(ChildProcess&&) noexcept = default;
ChildProcess& ChildProcess::operator=(ChildProcess&&) noexcept = default;

ChildProcess::~ChildProcess() {
    if (!state_ || ended()) return;
    ::kill(-state_->pid, SIGKILL);
    ::waitpid(state_->pid, nullptr, 0);
}

pid_t ChildProcess::pid() const { return state_->pid; }

bool ChildProcess::ended() const {
    state_->reap();
    return state_->exit_code.has_value();
}

Task<int> ChildProcess::wait() {
    while (!ended()) co_await state_->handle.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
    co_return *state_->exit_code;
}

Task<std::string> ChildProcess::read(std::size_t most) {
    std::string piece;
    if (!state_->output) co_return piece;
    co_await state_->output->wait_readable();
    piece.resize(most);
    const auto got = ::read(state_->output->get(), piece.data(), piece.size());
    piece.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    co_return piece;
}

namespace {
Task<> kill_after(Clock& clock, Duration grace, pid_t group) {
    co_await clock.sleep(grace);
    ::kill(-group, SIGKILL);
}
}  // namespace

Task<int> ChildProcess::stop(Clock& clock, Duration grace) {
    if (ended()) co_return *state_->exit_code;
    ::kill(-state_->pid, SIGTERM);
    TaskScope scope(state_->handle.get_executor());
    scope.spawn("kill after grace", kill_after(clock, grace, state_->pid));
    const auto exit_code = co_await wait();
    co_await scope.close();
    co_return exit_code;
}

}  // namespace skerry
