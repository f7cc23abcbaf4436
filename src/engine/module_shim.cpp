#include "engine/module_shim.hpp"

#include "engine/launch.hpp"
#include "engine/log_file.hpp"
#include "engine/module_process.hpp"
#include "engine/run_record.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace skerry::engine {

namespace {
std::int64_t now_ns() {
    timespec time{};
    ::clock_gettime(CLOCK_REALTIME, &time);
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

std::string read_all(int file) {
    std::string out;
    std::array<char, 4096> buffer{};
    for (;;) {
        const auto got = ::read(file, buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return out;
        out.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

void write_all(int file, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return;  // the engine has gone: the record on disk says it all
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

// Beside, synced, renamed, and the folder synced: the old record or the new one, never half.
// The error's number, or 0.
int save(const RunRecord& record) {
    const int file = ::open("run.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return errno;
    const auto text = format(record);
    const auto written = ::write(file, text.data(), text.size());
    int failed = written < 0 || ::fsync(file) != 0 ? errno : 0;
    if (failed == 0 && written != static_cast<ssize_t>(text.size())) failed = ENOSPC;
    ::close(file);
    if (failed != 0) return failed;
    if (std::rename("run.new", "run") != 0) return errno;
    const int folder = ::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return errno;
    failed = ::fsync(folder) == 0 ? 0 : errno;
    ::close(folder);
    return failed;
}

// Whether a module whose shim was killed runs on without one.
bool runs_already() {
    const int file = ::open("run", O_RDONLY | O_CLOEXEC);
    if (file < 0) return false;
    const auto record = parse_run_record(read_all(file));
    ::close(file);
    return record && record->exited_ns == 0 && record->boot_id == read_boot_id() && is_alive(record->main);
}

// A shim's work, from the lock to the exit record.
class Shim {
public:
    explicit Shim(Launch launch) : launch_(std::move(launch)), log_(launch_.log_bytes) {}

    int run();

private:
    bool take_lock();
    bool fork_module();
    bool start_module();
    void read_report();
    void end_start(std::string_view answer);
    void serve();
    bool take_output(std::size_t which);
    void take_signals();
    void reap();
    void kill_tree();
    void kill_all();
    void end_descendants();
    void save_exit();

    Launch launch_;
    LogWriter log_;
    RunRecord record_;
    ModulePipes pipes_;  // the module's ends, until it is started
    std::array<int, 2> output_{-1, -1};
    int gate_{-1};
    int report_{-1};
    int signals_{-1};
    bool ended_{false};
};

bool Shim::take_lock() {
    const int lock = ::open("lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);  // held until this process ends
    return lock >= 0 && ::flock(lock, LOCK_EX | LOCK_NB) == 0;
}

bool Shim::fork_module() {
    std::array<std::array<int, 2>, 4> pipes{};  // gate, report, out, err
    for (auto& pipe : pipes)
        if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return false;
    pipes_ = {pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][1]};
    gate_ = pipes[0][1];
    report_ = pipes[1][0];
    output_ = {pipes[2][0], pipes[3][0]};
    const pid_t child = ::fork();
    if (child < 0) return false;
    if (child == 0) {
        ::close(gate_);
        become_module(std::move(launch_), pipes_);
    }
    for (const int end : {pipes_.gate, pipes_.report, pipes_.out, pipes_.err}) ::close(end);
    for (const int end : output_) ::fcntl(end, F_SETFL, O_NONBLOCK);
    record_.main = {child, read_process_stat(child).value_or(ProcessStat{}).start_ticks};
    return true;
}

// The record is on disk before the gate opens; if it can't be written, the module never runs.
bool Shim::start_module() {
    record_.boot_id = read_boot_id();
    record_.shim = {::getpid(), read_process_stat(::getpid()).value_or(ProcessStat{}).start_ticks};
    record_.started_ns = now_ns();
    record_.notes = launch_.notes;
    record_.sockets = launch_.sockets;
    if (!fork_module()) {
        end_start(std::string("error starting a process: ") + std::strerror(errno));
        return false;
    }
    launch_ = {};  // the module has its copy: no secret stays in this process longer than needed
    const int failed = save(record_);
    if (failed == 0)
        write_all(gate_, "!");
    else
        end_start(std::string("error writing the run record: ") + std::strerror(failed));
    ::close(gate_);
    return failed == 0;
}

// Until the module's exec closes its end.
void Shim::read_report() {
    const auto text = read_all(report_);
    ::close(report_);
    std::string_view rest(text);
    const auto notes_before = record_.notes.size();
    while (!rest.empty()) {
        const auto end = rest.find('\n');
        const auto line = rest.substr(0, end);
        rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
        if (line.starts_with('n')) record_.notes.emplace_back(line.substr(1));
        if (line.starts_with('e')) record_.error = line.substr(1);
    }
    if (record_.error.empty() && record_.notes.size() != notes_before) static_cast<void>(save(record_));
    end_start(record_.error.empty() ? "ok" : "error " + record_.error);
}

void Shim::end_start(std::string_view answer) {
    write_all(answer_descriptor, std::string(answer) + '\n');
    ::close(answer_descriptor);
}

int Shim::run() {
    if (!take_lock() || runs_already()) {
        end_start("busy");
        return 1;
    }
    // Descendants whose parents end become our children: none can get away.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t handled;
    sigemptyset(&handled);
    for (const int number : {SIGCHLD, SIGTERM, SIGUSR1, SIGINT, SIGHUP}) sigaddset(&handled, number);
    ::sigprocmask(SIG_BLOCK, &handled, nullptr);
    signals_ = ::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals_ < 0 || !start_module()) return 1;  // a forked module ends at its gate
    read_report();
    serve();
    end_descendants();
    for (std::size_t which = 0; which < output_.size(); ++which)
        while (take_output(which)) {}
    log_.finish(now_ns());
    save_exit();
    return 0;
}

void Shim::serve() {
    while (!ended_) {
        std::array<pollfd, 3> entries{{{signals_, POLLIN, 0}, {output_[0], POLLIN, 0}, {output_[1], POLLIN, 0}}};
        if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR) return;
        if (entries[0].revents != 0) take_signals();
        for (std::size_t which = 0; which < output_.size(); ++which)
            if (entries[which + 1].revents != 0) static_cast<void>(take_output(which));
    }
}

// Some of it per call, so that a module that writes without end does not keep signals waiting. Whether it took any.
bool Shim::take_output(std::size_t which) {
    if (output_[which] < 0) return false;
    std::array<char, 16 * 1024> buffer;  // NOLINT: filled by read
    const auto got = ::read(output_[which], buffer.data(), buffer.size());
    if (got < 0) return errno == EINTR;
    if (got == 0) {
        ::close(output_[which]);
        output_[which] = -1;
        return false;
    }
    log_.append(which == 0 ? OutputStream::out : OutputStream::err, {buffer.data(), static_cast<std::size_t>(got)},
                now_ns());
    return true;
}

void Shim::take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
        switch (info.ssi_signo) {
            case SIGTERM: ::kill(-record_.main.pid, SIGTERM); break;
            case SIGUSR1: kill_all(); break;
            case SIGCHLD: reap(); break;
            default: break;  // of a terminal: none of ours
        }
    }
}

// The module's first process is only looked at: as a zombie it keeps its pid, and so its group's number, from being
// given to somebody else until the group is gone.
void Shim::reap() {
    siginfo_t info{};
    while (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
        if (info.si_pid == record_.main.pid) {
            const bool exited = info.si_code == CLD_EXITED;
            ended_ = true;
            record_.exited_ns = now_ns();
            record_.signal = exited ? 0 : info.si_status;
            record_.exit_code = exited ? info.si_status : 128 + info.si_status;
            return;
        }
        ::waitpid(info.si_pid, nullptr, 0);
        info = {};
    }
}

// Every process that descends from this one.
void Shim::kill_tree() {
    for (const pid_t pid : all_processes())
        if (pid != record_.shim.pid && descends_from(pid, record_.shim)) ::kill(pid, SIGKILL);
}

// While the first process is not reaped. The group dies at once, even one that forks without end.
void Shim::kill_all() {
    if (record_.main.pid > 0) ::kill(-record_.main.pid, SIGKILL);
    kill_tree();
}

// What the module's first process left behind ends with it, as in a container.
void Shim::end_descendants() {
    kill_all();
    // Only what was killed can have forked: after each death, look again.
    while (::waitpid(-1, nullptr, 0) > 0) kill_tree();
}

void Shim::save_exit() {
    // On a full disk the exit status waits for room, and the module counts as running until then.
    for (int failed = save(record_); failed == ENOSPC || failed == EDQUOT; failed = save(record_)) {
        const timespec pause{1, 0};
        ::nanosleep(&pause, nullptr);
    }
}
}  // namespace

int module_shim_main(int, char**) {
    std::signal(SIGPIPE, SIG_IGN);
    ::setsid();
    ::umask(022);
    auto launch = decode_launch(read_all(launch_descriptor));
    ::close(launch_descriptor);
    ::fcntl(answer_descriptor, F_SETFD, FD_CLOEXEC);
    if (!launch || ::chdir(launch->folder.c_str()) != 0) {
        const auto why =
            launch ? std::string("error entering the module's folder\n") : "error " + launch.error().text + '\n';
        write_all(answer_descriptor, why);
        return 1;
    }
    for (std::size_t i = 0; i < launch->sockets.size(); ++i)
        ::fcntl(first_socket_descriptor + static_cast<int>(i), F_SETFD, FD_CLOEXEC);
    ::syscall(SYS_close_range, first_socket_descriptor + static_cast<unsigned>(launch->sockets.size()), ~0U, 0);
    return Shim(std::move(*launch)).run();
}

}  // namespace skerry::engine
