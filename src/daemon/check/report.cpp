#include "daemon/check/check.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace skerry::daemon {

namespace json = boost::json;

namespace {
// As the existing command writes them, for those who look for them.
struct Mark {
    std::string_view sign;
    std::string_view word;
};

Mark mark_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok: return {"√", "OK"};
        case Verdict::warning: return {"‼", "Warning"};
        case Verdict::error:
        case Verdict::fatal: return {"×", "Error"};
        case Verdict::ignored: return {"-", "Ignored"};
        case Verdict::skipped: return {"-", "Skipped"};
    }
    return {"-", ""};
}

bool goes_without_saying(Verdict verdict) { return verdict == Verdict::ignored || verdict == Verdict::skipped; }

std::string summary(const CheckReport& report, bool verbose) {
    const auto* const more = verbose ? "" : " Re-run with --verbose for more details.";
    std::string out = fmt::format("{} check(s) succeeded.\n", report.count(Verdict::ok));
    if (const auto warnings = report.count(Verdict::warning); warnings > 0)
        out += fmt::format("{} check(s) raised warnings.{}\n", warnings, more);
    if (const auto errors = report.count(Verdict::error) + report.count(Verdict::fatal); errors > 0)
        out += fmt::format("{} check(s) raised errors.{}\n", errors, more);
    if (const auto skipped = report.count(Verdict::skipped); skipped > 0)
        out += fmt::format("{} check(s) were skipped due to errors from other checks.{}\n", skipped, more);
    return out;
}
}  // namespace

std::string_view name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok: return "ok";
        case Verdict::warning: return "warning";
        case Verdict::error: return "error";
        case Verdict::fatal: return "fatal";
        case Verdict::ignored: return "ignored";
        case Verdict::skipped: return "skipped";
    }
    return "error";
}

std::size_t CheckReport::count(Verdict verdict) const {
    return static_cast<std::size_t>(std::ranges::count(results, verdict, &CheckResult::verdict));
}

json::object report_json(const CheckReport& report) {
    json::object checks;
    for (const auto& result : report.results) {
        json::object one{{"result", std::string(name_of(result.verdict))}};
        if (!result.details.empty()) one["details"] = json::array(result.details.begin(), result.details.end());
        one["additional_info"] = json::object{};
        checks[result.check.id] = std::move(one);
    }
    return {{"additional_info", report.additional_info}, {"checks", std::move(checks)}};
}

std::string report_text(const CheckReport& report, bool verbose) {
    std::string out;
    std::string_view section;
    for (const auto& result : report.results) {
        if (goes_without_saying(result.verdict) && !verbose) continue;
        if (result.check.section != section) {
            if (!section.empty()) out += '\n';
            section = result.check.section;
            const auto title = fmt::format("{} checks", section);
            out += fmt::format("{}\n{}\n", title, std::string(title.size(), '-'));
        }
        const auto mark = mark_of(result.verdict);
        out += fmt::format("{} {} - {}\n", mark.sign, result.check.description, mark.word);
        for (const auto& detail : result.details) out += fmt::format("    {}\n", detail);
    }
    return out + (out.empty() ? "" : "\n") + summary(report, verbose);
}

}  // namespace skerry::daemon
