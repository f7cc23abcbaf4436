#include "engine/run_record.hpp"

#include <charconv>

namespace skerry::engine {

namespace {
constexpr std::string_view first_line = "skerry-run 1";

void line(std::string& out, std::string_view key, std::string_view value) {
    out += key;
    out += ' ';
    for (const char c : value) out += c == '\n' || c == '\r' ? ' ' : c;
    out += '\n';
}

std::string text_of(const ProcessId& process) {
    return std::to_string(process.pid) + ' ' + std::to_string(process.start_ticks);
}

template <class T>
bool number(std::string_view text, T& out) {
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
    return failed == std::errc{} && end == text.data() + text.size();
}

bool process_of(std::string_view text, ProcessId& out) {
    const auto space = text.find(' ');
    if (space == text.npos) return false;
    return number(text.substr(0, space), out.pid) && number(text.substr(space + 1), out.start_ticks) && out.pid > 0;
}

bool apply(RunRecord& record, std::string_view key, std::string_view value) {
    if (key == "boot") return record.boot_id = value, true;
    if (key == "shim") return process_of(value, record.shim);
    if (key == "main") return process_of(value, record.main);
    if (key == "started") return number(value, record.started_ns);
    if (key == "exited") return number(value, record.exited_ns);
    if (key == "exit-code") return number(value, record.exit_code.emplace());
    if (key == "signal") return number(value, record.signal);
    if (key == "error") return record.error = value, true;
    if (key == "note") return record.notes.emplace_back(value), true;
    if (key == "socket") return record.sockets.emplace_back(value), true;
    return true;  // of a later version
}
}  // namespace

std::string format(const RunRecord& record) {
    std::string out(first_line);
    out += '\n';
    line(out, "boot", record.boot_id);
    line(out, "shim", text_of(record.shim));
    if (record.main.pid > 0) line(out, "main", text_of(record.main));
    line(out, "started", std::to_string(record.started_ns));
    if (record.exited_ns != 0) line(out, "exited", std::to_string(record.exited_ns));
    if (record.exit_code) line(out, "exit-code", std::to_string(*record.exit_code));
    if (record.signal != 0) line(out, "signal", std::to_string(record.signal));
    if (!record.error.empty()) line(out, "error", record.error);
    for (const auto& note : record.notes) line(out, "note", note);
    for (const auto& socket : record.sockets) line(out, "socket", socket);
    return out;
}

Result<RunRecord> parse_run_record(std::string_view text) {
    const auto damaged = [] { return fail(Errc::malformed, "the run record is damaged"); };
    RunRecord record;
    bool first = true;
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (end == text.npos) return damaged();
        const auto current = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (first) {
            if (current != first_line) return damaged();
            first = false;
            continue;
        }
        const auto space = current.find(' ');
        if (space == current.npos || !apply(record, current.substr(0, space), current.substr(space + 1)))
            return damaged();
    }
    if (first || record.boot_id.empty() || record.shim.pid <= 0) return damaged();
    return record;
}

}  // namespace skerry::engine
