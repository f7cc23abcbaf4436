#include "cli/up/world.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace skerry::cli {

namespace {
class Descriptor {
public:
    explicit Descriptor(int value) : value_(value) {}
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return value_; }

private:
    int value_;
};

bool can_bind(const char* address, std::uint16_t port) {
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    ::inet_pton(AF_INET, address, &to.sin_addr);
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 &&
           ::listen(socket.get(), 1) == 0;
}

bool can_bind_all() {
    constexpr std::array<std::uint16_t, 2> cloud_ports{443, 8883};
    for (const auto port : cloud_ports)
        if (!can_bind(cloud_address, port)) return false;
    return can_bind(hub_address, 8883);
}

Result<> write_text(const char* path, const std::string& text) {
    const Descriptor file(::open(path, O_WRONLY | O_CLOEXEC));
    if (file.get() < 0 || ::write(file.get(), text.data(), text.size()) < 0)
        return fail(system_error(std::string("writing ") + path, errno));
    return {};
}

Result<> bring_loopback_up() {
    const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return fail(system_error("bringing loopback up", errno));
    return {};
}

// We become root of a new user namespace; outside we stay who we were.
Result<> unshare_namespaces() {
    const auto user = ::geteuid();
    const auto group = ::getegid();
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0)
        return fail(Errc::unauthorized,
                    "ports 443 and 8883 can't be bound on loopback, and this system forbids user namespaces ("
                    "unshare: " +
                        std::string(std::strerror(errno)) +
                        "); as root, set one of: sysctl net.ipv4.ip_unprivileged_port_start=443, or sysctl "
                        "kernel.unprivileged_userns_clone=1 (and kernel.apparmor_restrict_unprivileged_userns=0)");
    if (auto denied = write_text("/proc/self/setgroups", "deny"); !denied) return denied;
    if (auto mapped = write_text("/proc/self/uid_map", "0 " + std::to_string(user) + " 1"); !mapped) return mapped;
    if (auto mapped = write_text("/proc/self/gid_map", "0 " + std::to_string(group) + " 1"); !mapped) return mapped;
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return fail(system_error("making mounts private", errno));
    return bring_loopback_up();
}

Result<> bind_over(const std::filesystem::path& from, const char* to) {
    if (::mount(from.c_str(), to, nullptr, MS_BIND, nullptr) != 0)
        return fail(system_error("binding " + from.string() + " over " + to, errno));
    return {};
}

std::string text_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

constexpr const char* system_bundle = "/etc/ssl/certs/ca-certificates.crt";
}  // namespace

Result<World> enter_world(bool always_own) {
    if (!always_own && can_bind_all()) return World::direct;
    if (auto entered = unshare_namespaces(); !entered) return fail(entered.error());
    return World::own_namespaces;
}

Result<> bind_names_and_trust(const std::filesystem::path& folder, const std::filesystem::path& ca_file) {
    const auto hosts = folder / "hosts";
    std::ofstream(hosts) << "127.0.0.1 localhost\n::1 localhost\n"
                         << cloud_address << ' ' << cloud_name << '\n'
                         << hub_address << ' ' << hub_name << '\n';
    if (auto bound = bind_over(hosts, "/etc/hosts"); !bound) return bound;
    if (::access(system_bundle, F_OK) != 0) return {};
    const auto bundle = folder / "ca-bundle.pem";
    std::ofstream(bundle, std::ios::binary) << text_of(system_bundle) << '\n' << text_of(ca_file);
    return bind_over(bundle, system_bundle);
}

Error enter_and_execute(pid_t process, std::vector<std::string> command) {
    // The mount namespace last: /proc/<pid> is looked up in ours until then.
    constexpr std::array<std::pair<const char*, int>, 3> kinds{
        {{"user", CLONE_NEWUSER}, {"net", CLONE_NEWNET}, {"mnt", CLONE_NEWNS}}};
    for (const auto& [name, kind] : kinds) {
        const auto path = "/proc/" + std::to_string(process) + "/ns/" + name;
        std::array<char, 64> ours{};
        std::array<char, 64> theirs{};
        const auto own = std::string("/proc/self/ns/") + name;
        const bool read_both = ::readlink(own.c_str(), ours.data(), ours.size() - 1) > 0 &&
                               ::readlink(path.c_str(), theirs.data(), theirs.size() - 1) > 0;
        if (read_both && ours == theirs) continue;
        const Descriptor space(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (space.get() < 0) return system_error("opening " + path, errno);
        if (::setns(space.get(), kind) != 0) return system_error("entering " + path, errno);
    }
    if (command.empty()) {
        const char* shell = std::getenv("SHELL");
        command.emplace_back(shell != nullptr ? shell : "/bin/sh");
    }
    std::vector<char*> arguments;
    for (auto& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execvp(arguments.front(), arguments.data());
    return system_error("running " + command.front(), errno);
}

}  // namespace skerry::cli
