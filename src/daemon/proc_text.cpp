#include "daemon/proc_text.hpp"

namespace skerry::daemon {

std::string proc_text(storage::Files& files, const std::filesystem::path& path) {
    auto file = files.open(path, storage::Files::Mode::read);
    std::string text;
    if (!file) return text;
    const auto got = (*file)->read_at(0, 64 * 1024, text);
    if (!got) return {};
    text.resize(*got);
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

}  // namespace skerry::daemon
