#include "daemon/listen.hpp"

#include "daemon/config.hpp"

#include <unistd.h>

#include <charconv>
#include <cstdlib>

namespace skerry::daemon {

namespace {
constexpr int first_descriptor = 3;

std::string variable(const char* name) {
    const auto* const value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

template <class T>
bool number(std::string_view text, T& out) {
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
    return failed == std::errc{} && end == text.data() + text.size() && !text.empty();
}
}  // namespace

HandedDown handed_down() { return {variable("LISTEN_PID"), variable("LISTEN_FDS"), variable("LISTEN_FDNAMES")}; }

Result<int> find_handed_down(const HandedDown& given, pid_t self, std::string_view name) {
    pid_t process = 0;
    int count = 0;
    const auto none = [&] {
        return fail(Errc::not_found, "fd://" + std::string(name) + ": systemd handed down no socket of that name");
    };
    if (!number(given.process, process) || process != self || !number(given.count, count) || count < 0) return none();
    int index = 0;
    if (number(name, index)) return index >= 0 && index < count ? Result<int>(first_descriptor + index) : none();
    std::string_view names(given.names);
    for (int i = 0; i < count; ++i) {
        const auto end = names.find(':');
        const auto current = names.substr(0, end);
        if (current == name || std::string(current) + ".socket" == name) return first_descriptor + i;
        names.remove_prefix(end == names.npos ? names.size() : end + 1);
    }
    return none();
}

Result<std::unique_ptr<net::Listener>> listen_on(Platform platform, std::string_view uri, unsigned mode) {
    if (uri.starts_with("fd://")) {
        const auto descriptor = find_handed_down(handed_down(), ::getpid(), uri.substr(5));
        if (!descriptor) return std::unexpected(descriptor.error());
        return platform.network.adopt_unix(*descriptor);
    }
    const auto path = unix_path(uri);
    if (!path) return std::unexpected(path.error());
    if (const auto made = platform.files.make_folders(path->parent_path(), 0755); !made)
        return std::unexpected(made.error());
    return platform.network.listen_unix(*path, mode);
}

}  // namespace skerry::daemon
