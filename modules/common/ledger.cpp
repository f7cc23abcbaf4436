#include "common/ledger.hpp"

#include "base/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace samples {

Ledger::Ledger() {
    const char* path = std::getenv("SKERRY_LEDGER");
    if (path == nullptr || *path == '\0') return;
    file_ = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file_ < 0) skerry::log::error("the ledger {} can't be opened: {}", path, std::strerror(errno));
}

Ledger::~Ledger() {
    if (file_ >= 0) ::close(file_);
}

void Ledger::note(std::string_view what, std::string_view id) {
    if (file_ < 0) return;
    std::string line(what);
    line += ' ';
    line += id;
    line += '\n';
    if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
        skerry::log::error("the ledger can't be written: {}", std::strerror(errno));
}

}  // namespace samples
