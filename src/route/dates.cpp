// Which texts the existing hub's JSON reader takes for dates: they are no texts to a condition then.
#include "route/body.hpp"

#include <chrono>

namespace skerry::route {

namespace {
class Reader {
public:
    explicit Reader(std::string_view text) : text_(text) {}

    // yyyy-MM-ddTHH:mm:ss[.fffffff][Z|±hh[[:]mm]], to the end
    bool is_iso() { return date() && take('T') && time() && zone() && at_ == text_.size(); }

private:
    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    [[nodiscard]] bool digit(std::size_t ahead = 0) const { return peek(ahead) >= '0' && peek(ahead) <= '9'; }

    bool take(char c) {
        if (peek() != c) return false;
        ++at_;
        return true;
    }

    bool number(int digits, int& out) {
        out = 0;
        for (int i = 0; i < digits; ++i, ++at_) {
            if (!digit()) return false;
            out = out * 10 + (peek() - '0');
        }
        return true;
    }

    bool date() {
        int year = 0;
        int month = 0;
        int day = 0;
        if (!number(4, year) || !take('-') || !number(2, month) || !take('-') || !number(2, day)) return false;
        const std::chrono::year_month_day value{std::chrono::year(year),
                                                std::chrono::month(static_cast<unsigned>(month)),
                                                std::chrono::day(static_cast<unsigned>(day))};
        return year >= 1 && value.ok();
    }

    bool time() {
        int hour = 0;
        int minute = 0;
        int second = 0;
        if (!number(2, hour) || !take(':') || !number(2, minute) || !take(':') || !number(2, second)) return false;
        const bool midnight = hour == 24 && minute == 0 && second == 0;
        if (minute > 59 || second > 59 || (hour > 23 && !midnight)) return false;
        if (!take('.')) return true;
        int digits = 0;
        bool zero = true;
        for (; digits < 7 && digit(); ++digits, ++at_) zero = zero && peek() == '0';
        return digits > 0 && (zero || !midnight);
    }

    // As lenient as the original: after the sign and the hours, two more digits with or without a colon.
    bool zone() {
        if (peek() == 'Z' || peek() == 'z') {
            ++at_;
            return true;
        }
        if ((peek() == '+' || peek() == '-') && digit(1) && digit(2)) at_ += 3;
        if (at_ == text_.size()) return true;
        take(':');
        if (digit() && digit(1)) at_ += 2;
        return true;
    }

    std::string_view text_;
    std::size_t at_{0};
};

// /Date(1234567890123)/ or /Date(1234567890123+0100)/
bool is_microsoft_date(std::string_view text) {
    constexpr std::string_view head = "/Date(";
    constexpr std::string_view tail = ")/";
    if (text.size() < 9 || !text.starts_with(head) || !text.ends_with(tail)) return false;
    text = text.substr(head.size(), text.size() - head.size() - tail.size());
    const auto digits = [](std::string_view part) {
        return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    };
    if (text.starts_with('-')) text.remove_prefix(1);
    const auto zone = text.find_first_of("+-");
    if (zone == std::string_view::npos) return digits(text);
    return digits(text.substr(0, zone)) && digits(text.substr(zone + 1)) && text.size() - zone >= 3;
}
}  // namespace

bool looks_like_date(std::string_view text) {
    if (text.starts_with('/')) return is_microsoft_date(text);
    if (text.size() < 19 || text.size() > 40 || text[10] != 'T') return false;
    return Reader(text).is_iso();
}

}  // namespace skerry::route
