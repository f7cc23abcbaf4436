#include "daemon/image_config.hpp"

#include "crypto/signature.hpp"
#include "daemon/duration_text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <utility>

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
Duration duration_at(const Section& section, std::string_view key, Duration otherwise, Duration least) {
    const auto text = section.text(key);
    if (!text) return otherwise;
    if (const auto duration = parse_duration(*text); duration && *duration >= least) return *duration;
    section.complain(key, least > 0s ? "must be a time of 1 second or more, such as \"1d\" or \"12h\""
                                     : "must be a time such as \"7d\" or \"12h\"");
    return otherwise;
}

// "HH:MM"
std::optional<std::chrono::minutes> time_of_day(std::string_view text) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.size() != 5 || text[2] != ':' || !is_digit(text[0]) || !is_digit(text[1]) || !is_digit(text[3]) ||
        !is_digit(text[4]))
        return std::nullopt;
    const int hours = (text[0] - '0') * 10 + text[1] - '0';
    const int minutes = (text[3] - '0') * 10 + text[4] - '0';
    if (hours > 23 || minutes > 59) return std::nullopt;
    return std::chrono::hours(hours) + std::chrono::minutes(minutes);
}
}  // namespace

ImageGarbageConfig read_image_garbage(const Section& document) {
    const auto section = document.section("image_garbage_collection");
    ImageGarbageConfig out;
    out.enabled = section.flag("enabled").value_or(out.enabled);
    out.recurrence = duration_at(section, "cleanup_recurrence", out.recurrence, 1s);
    if (out.recurrence > 24h && out.recurrence % 24h != 0s)
        section.complain("cleanup_recurrence", "must be whole days, or less than a day");
    out.threshold = duration_at(section, "image_age_cleanup_threshold", out.threshold, 0s);
    if (const auto text = section.text("cleanup_time")) {
        const auto time = time_of_day(*text);
        if (!time) section.complain("cleanup_time", "must be a time of day, \"HH:MM\"");
        out.time_of_day = time.value_or(out.time_of_day);
    }
    out.rollback_reserve =
        duration_at(document.section("skerry").section("images"), "rollback_reserve", out.rollback_reserve, 0s);
    return out;
}

namespace {
using engine::registry::Demand;
using engine::registry::TrustRule;

TrustRule rule_of(const Section& section) {
    TrustRule rule;
    rule.scope = section.text("scope").value_or("");
    if (rule.scope.empty() || rule.scope.ends_with('/') || rule.scope.find_first_of(" @") != rule.scope.npos)
        section.complain("scope", "must be \"*\", a registry, or a registry and (the first parts of) a repository");
    const auto demand = section.text("require").value_or("");
    if (demand == "signature")
        rule.demand = Demand::signature;
    else if (demand == "reject")
        rule.demand = Demand::reject;
    else if (demand != "accept")
        section.complain("require", "must be \"accept\", \"reject\" or \"signature\"");
    const auto* const keys = section.value("keys");
    const auto* const list = keys == nullptr ? nullptr : keys->if_array();
    for (const auto& key : list == nullptr ? boost::json::array() : *list) {
        if (key.is_string() && std::string_view(key.get_string()).starts_with('/'))
            rule.keys.emplace_back(key.get_string());
        else
            section.complain("keys", "must be a list of absolute paths");
    }
    if (keys != nullptr && list == nullptr) section.complain("keys", "must be a list of absolute paths");
    if ((rule.demand == Demand::signature) == rule.keys.empty())
        section.complain("keys", "are the public keys (files, PEM) for require = \"signature\", and only for that");
    return rule;
}
}  // namespace

engine::registry::TrustPolicy read_image_policy(const Section& document) {
    engine::registry::TrustPolicy policy;
    const auto skerry = document.section("skerry");
    const auto* const key = "image_policy";
    const auto* const value = skerry.value(key);
    if (value == nullptr) return policy;
    const auto wrong = [&] { skerry.complain(key, "must be a list: [[skerry.image_policy]]"); };
    if (!value->is_array()) {
        wrong();
        return policy;
    }
    for (const auto& entry : value->get_array()) {
        if (!entry.is_object()) {
            wrong();
            continue;
        }
        Reading reading;  // its keys' paths are no paths of the document
        policy.rules.push_back(rule_of(Section(entry.get_object(), reading)));
        for (const auto& error : reading.errors) skerry.complain(key, error);
        for (const auto& unknown : unknown_keys(entry.get_object(), reading))
            skerry.complain(key, unknown + ": unknown key");  // what protects must not be misspelt
    }
    return policy;
}

Result<> load_keys(engine::registry::TrustPolicy& policy, storage::Files& files) {
    constexpr std::size_t largest_key = 64 * 1024;
    for (auto& rule : policy.rules)
        for (auto& key : rule.keys) {
            auto pem = storage::read_file(files, key, largest_key);
            auto fits = pem ? crypto::check_p256_public_key(*pem) : Result<>(std::unexpected(pem.error()));
            if (!fits) return fail(Errc::malformed, "skerry.image_policy: keys: " + key + ": " + fits.error().text);
            key = std::move(*pem);
        }
    return {};
}

std::optional<engine::moby::LogLimits> read_log_limits(const Section& document) {
    const auto section = document.section("skerry").section("logs");
    engine::moby::LogLimits out;
    const bool limited = section.flag("limit").value_or(true);
    out.max_size = section.text("max_size").value_or(out.max_size);
    const auto digits = std::min(out.max_size.find_first_not_of("0123456789"), out.max_size.size());
    const auto unit = std::string_view(out.max_size).substr(digits);
    const bool is_size = digits > 0 && digits < 10 && out.max_size.front() != '0' &&
                         (unit.empty() || unit == "k" || unit == "m" || unit == "g");
    if (!is_size) section.complain("max_size", "must be a size such as \"10m\": bytes, or with k, m or g");
    out.max_files = section.integer("max_files", 1, 1000).value_or(out.max_files);
    return limited ? std::optional(out) : std::nullopt;
}

}  // namespace skerry::daemon
