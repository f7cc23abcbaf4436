#include "base/clock.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <charconv>

namespace skerry {

namespace asio = boost::asio;
using namespace std::chrono_literals;

WallTime SystemClock::wall() const { return std::chrono::system_clock::now(); }
SteadyTime SystemClock::steady() const { return std::chrono::steady_clock::now(); }

Task<> SystemClock::sleep_until(SteadyTime when) {
    asio::steady_timer timer(co_await asio::this_coro::executor, when);
    co_await timer.async_wait(asio::use_awaitable);
}

std::string format_rfc3339(WallTime time, int digits) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const auto since_midnight = std::chrono::duration_cast<std::chrono::nanoseconds>(time - day);
    const auto seconds = since_midnight / 1s;
    auto text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(date.year()),
                            static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), seconds / 3600,
                            seconds / 60 % 60, seconds % 60);
    const auto fraction = (since_midnight % 1s).count();
    if (digits > 0) text += '.' + fmt::format("{:09}", fraction).substr(0, static_cast<std::size_t>(digits));
    text += 'Z';
    return text;
}

namespace {
// Reads exactly `width` digits and moves on.
std::optional<int> digits_of(std::string_view& text, std::size_t width) {
    if (text.size() < width) return std::nullopt;
    int value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + width, value);
    if (failed != std::errc{} || end != text.data() + width || text.front() == '-') return std::nullopt;
    text.remove_prefix(width);
    return value;
}

bool skip(std::string_view& text, char expected) {
    if (text.empty() || text.front() != expected) return false;
    text.remove_prefix(1);
    return true;
}

std::optional<std::chrono::nanoseconds> fraction_of(std::string_view& text) {
    if (!skip(text, '.')) return 0ns;
    std::int64_t value = 0;
    std::int64_t scale = 1'000'000'000;
    std::size_t count = 0;
    while (count < text.size() && text[count] >= '0' && text[count] <= '9') {
        if (scale > 1) {
            value = value * 10 + (text[count] - '0');
            scale /= 10;
        }
        ++count;
    }
    if (count == 0) return std::nullopt;
    text.remove_prefix(count);
    return std::chrono::nanoseconds(value * scale);
}

std::optional<std::chrono::minutes> offset_of(std::string_view text) {
    if (text == "Z" || text == "z") return 0min;
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
    const bool west = text[0] == '-';
    text.remove_prefix(1);
    const auto hours = digits_of(text, 2);
    const bool colon = skip(text, ':');
    const auto minutes = digits_of(text, 2);
    if (!hours || !colon || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    const auto offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
    return west ? -offset : offset;
}
}  // namespace

std::optional<WallTime> parse_rfc3339(std::string_view text) {
    const auto year = digits_of(text, 4);
    if (!year || !skip(text, '-')) return std::nullopt;
    const auto month = digits_of(text, 2);
    if (!month || !skip(text, '-')) return std::nullopt;
    const auto day = digits_of(text, 2);
    if (!day || text.empty() || (text.front() != 'T' && text.front() != 't' && text.front() != ' '))
        return std::nullopt;
    text.remove_prefix(1);
    const auto hour = digits_of(text, 2);
    if (!hour || !skip(text, ':')) return std::nullopt;
    const auto minute = digits_of(text, 2);
    if (!minute || !skip(text, ':')) return std::nullopt;
    const auto second = digits_of(text, 2);
    if (!second) return std::nullopt;
    // Years that WallTime can't hold: .NET's "never" is in year 1.
    if (*year < 1678 || *year > 2261) return std::nullopt;
    const auto fraction = fraction_of(text);
    const auto offset = fraction ? offset_of(text) : std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!offset || !date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    const auto local = std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
                       std::chrono::seconds(*second) + *fraction;
    return std::chrono::time_point_cast<WallTime::duration>(local - *offset);
}

}  // namespace skerry
