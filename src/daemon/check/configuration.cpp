// Checks that need no network.
#include "base/encoding.hpp"
#include "crypto/crypto.hpp"
#include "daemon/check/subject.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <unistd.h>

#include <array>
#include <chrono>

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
constexpr std::string_view section = "Configuration";
constexpr auto day = std::chrono::hours(24);
constexpr std::uint64_t megabyte = 1024 * 1024;

Outcome warning(std::string text) { return {Verdict::warning, {std::move(text)}}; }

Task<Result<Outcome>> well_formed(Subject& subject) {
    auto config = load_config(subject.platform.files, subject.options.config);
    if (!config) co_return Outcome{Verdict::fatal, {config.error().text}};
    Outcome outcome{config->warnings.empty() ? Verdict::ok : Verdict::warning, config->warnings};
    subject.config = std::move(*config);
    co_return outcome;
}

bool is_address(const std::string& name) {
    std::array<unsigned char, sizeof(in6_addr)> parsed{};
    return ::inet_pton(AF_INET, name.c_str(), parsed.data()) == 1 ||
           ::inet_pton(AF_INET6, name.c_str(), parsed.data()) == 1;
}

Task<Result<Outcome>> right_hostname(Subject& subject) {
    const auto& name = subject.config->hostname;
    std::array<char, 256> buffer{};
    if (is_address(name) || ::gethostname(buffer.data(), buffer.size() - 1) != 0) co_return Outcome{};
    const auto machine = to_lower(buffer.data());
    const auto same = [](std::string_view name_, std::string_view first) {
        return name_ == first || (name_.starts_with(first) && name_.substr(first.size()).starts_with('.'));
    };
    if (same(name, machine) || same(machine, name)) co_return Outcome{};
    co_return warning(
        fmt::format("hostname is '{}', but this machine calls itself '{}': modules and downstream devices "
                    "must be able to find it by the first name",
                    name, machine));
}

Task<Result<Outcome>> trust_bundle(Subject& subject) {
    const auto& path = subject.config->trust_bundle;
    if (!path)
        co_return Outcome{Verdict::ignored, {"trust_bundle_cert is not set; the system's certificates are trusted"}};
    auto pem = storage::read_file(subject.platform.files, *path);
    if (!pem) co_return fail(pem.error().while_doing("trust_bundle_cert"));
    if (!crypto::parse_certificate(*pem)) co_return fail(Errc::malformed, path->native() + ": holds no certificate");
    subject.trusted = std::move(*pem);
    co_return Outcome{};
}

Task<Result<Outcome>> edge_ca(Subject& subject) {
    const auto& config = *subject.config;
    const auto path = config.edge_ca.certificate.value_or(config.home / "keys" / "edge-ca.pem");
    const auto pem = storage::read_file(subject.platform.files, path);
    if (!pem && pem.error().code == Errc::not_found && !config.edge_ca.certificate)
        co_return Outcome{Verdict::ignored, {"there is none yet: the daemon makes it when it starts"}};
    if (!pem) co_return fail(pem.error());
    const auto certificate = crypto::parse_certificate(*pem);
    if (!certificate) co_return fail(certificate.error().while_doing(path.native()));
    const auto left = certificate->not_after - subject.platform.clock.wall();
    const auto until = format_rfc3339(certificate->not_after, 0);
    if (left <= 0s) co_return fail(Errc::malformed, fmt::format("{}: expired at {}", path.native(), until));
    if (certificate->not_before > subject.platform.clock.wall() + 5min)
        co_return fail(Errc::malformed, fmt::format("{}: is not valid before {}; is the clock right?", path.native(),
                                                    format_rfc3339(certificate->not_before, 0)));
    if (left < 7 * day) co_return warning(fmt::format("{}: expires at {}", path.native(), until));
    co_return Outcome{};
}

Task<Result<Outcome>> logs_bounded(Subject& subject) {
    if (!subject.config->moby || subject.config->log_limits) co_return Outcome{};
    co_return warning("skerry.logs.limit is off: unless the container engine bounds them itself, logs fill the disk");
}

Task<Result<Outcome>> disk_space(Subject& subject) {
    // The folder is made when the daemon first starts.
    auto folder = subject.config->home;
    while (folder.has_relative_path() && !subject.platform.files.exists(folder)) folder = folder.parent_path();
    const auto space = subject.platform.files.space(folder);
    if (!space) co_return fail(space.error());
    const auto text = fmt::format("{}: {} MB of {} MB are free", folder.native(), space->available / megabyte,
                                  space->total / megabyte);
    if (space->available < 10 * megabyte) co_return fail(Errc::full, text);
    if (space->available < 200 * megabyte || space->available < space->total / 20) co_return warning(text);
    co_return Outcome{};
}
}  // namespace

namespace {
constexpr std::array<Check, 6> checks{{
    {{"aziot-edged-config-well-formed", section, "the configuration is well-formed"}, false, &well_formed},
    {{"hostname", section, "the configuration has the right host name"}, true, &right_hostname},
    {{"certs-read", section, "the trust bundle can be read"}, true, &trust_bundle},
    {{"edge-ca-certificate-expiry", section, "the Edge CA's certificate is valid"}, true, &edge_ca},
    {{"container-engine-logrotate", section, "the modules' logs are bounded"}, true, &logs_bounded},
    {{"host-disk-space", section, "the disk has room"}, true, &disk_space},
}};
}  // namespace

std::span<const Check> configuration_checks() { return checks; }

}  // namespace skerry::daemon
