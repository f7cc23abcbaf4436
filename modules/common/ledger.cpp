#include "common/ledger.hpp"

#include "base/log.hpp"

#include <fmt/core.h>

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

namespace skerry::modules {

Result<Ledger> Ledger::open(const std::string& path) {
    if (path.empty()) return Ledger(-1);
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (descriptor < 0) return fail(system_error("opening the ledger " + path, errno));
    return Ledger(descriptor);
}

Ledger::Ledger(Ledger&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), failed_(other.failed_) {}

Ledger::~Ledger() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

void Ledger::add(std::string_view verb, std::string_view id) {
    if (descriptor_ < 0) return;
    const auto line = fmt::format("{} {}\n", verb, id);
    if (::write(descriptor_, line.data(), line.size()) == static_cast<ssize_t>(line.size()) || failed_) return;
    failed_ = true;
    log::error("{}", system_error("writing the ledger", errno).text);
}

}  // namespace skerry::modules
