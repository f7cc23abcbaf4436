#include "agent/telemetry/diagnostics.hpp"

#include "agent/metrics/availability.hpp"
#include "base/encoding.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>

namespace skerry::agent {

namespace {

constexpr std::size_t most_points = 20'000;
constexpr std::size_t largest_message = 255'000;
constexpr std::size_t point_bytes = 16;

std::string labels_text(const std::map<std::string, std::string>& labels) {
    boost::json::object object;
    for (const auto& [name, value] : labels) object[name] = value;
    return boost::json::serialize(object);
}

void put_text(std::string& out, std::string_view text) {
    put_le(out, static_cast<std::int32_t>(text.size()));
    out += text;
}

// The series, or as many of its points as `room` has place for; none when it has none for one.
std::size_t put_series(std::string& out, const Diagnostics::Key& key, const Point* points, std::size_t count,
                       std::size_t room) {
    const auto head = 3 * sizeof(std::int32_t) + key.first.size() + key.second.size();
    const auto fits = room < head ? 0 : (room - head) / point_bytes;
    count = std::min(count, fits);
    if (count == 0) return 0;
    put_text(out, key.first);
    put_text(out, key.second);
    put_le(out, static_cast<std::int32_t>(count));
    for (std::size_t n = 0; n < count; ++n) {
        put_le(out, points[n].ticks);
        put_le(out, std::bit_cast<std::uint64_t>(points[n].value));
    }
    return count;
}

class Reader {
public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}
    [[nodiscard]] bool done() const { return bytes_.empty(); }

    template <class T>
    std::optional<T> number() {
        if (bytes_.size() < sizeof(T)) return std::nullopt;
        const auto value = get_le<T>(bytes_, 0);
        bytes_.remove_prefix(sizeof(T));
        return value;
    }
    std::optional<std::size_t> length(std::size_t unit) {
        const auto value = number<std::int32_t>();
        if (!value || *value < 0 || static_cast<std::size_t>(*value) > bytes_.size() / unit) return std::nullopt;
        return static_cast<std::size_t>(*value);
    }
    std::optional<std::string> text() {
        const auto size = length(1);
        if (!size) return std::nullopt;
        std::string out(bytes_.substr(0, *size));
        bytes_.remove_prefix(*size);
        return out;
    }

private:
    std::string_view bytes_;
};

}  // namespace

void Diagnostics::add(const std::vector<Sample>& samples, WallTime when) {
    const auto ticks = utc_ticks(when);
    for (const auto& sample : samples) {
        auto& points = series_[{sample.name, labels_text(sample.labels)}];
        const auto count = points.size();
        const bool third =
            count >= 2 && points[count - 1].value == sample.value && points[count - 2].value == sample.value;
        if (third)
            points.back().ticks = ticks;
        else
            points.push_back({ticks, sample.value});
    }
    make_room();
}

std::size_t Diagnostics::points() const {
    std::size_t sum = 0;
    for (const auto& [key, points] : series_) sum += points.size();
    return sum;
}

void Diagnostics::make_room() {
    const auto count = points();
    if (count <= most_points) return;
    std::vector<std::int64_t> times;
    times.reserve(count);
    for (const auto& [key, points] : series_)
        for (const auto& point : points) times.push_back(point.ticks);
    // A tenth more than needed, so that this is rare.
    const auto drop = count - most_points + most_points / 10;
    std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(drop));
    const auto oldest = times[drop];
    for (auto& [key, points] : series_)
        std::erase_if(points, [oldest](const Point& point) { return point.ticks < oldest; });
    std::erase_if(series_, [](const auto& entry) { return entry.second.empty(); });
    // All at the same time: those of the series that come last go.
    for (auto at = series_.rbegin(); points() > most_points && at != series_.rend(); ++at) at->second.clear();
    std::erase_if(series_, [](const auto& entry) { return entry.second.empty(); });
}

void Diagnostics::forget_before(WallTime when) {
    const auto ticks = utc_ticks(when);
    for (auto& [key, points] : series_)
        std::erase_if(points, [ticks](const Point& point) { return point.ticks < ticks; });
    std::erase_if(series_, [](const auto& entry) { return entry.second.empty(); });
}

std::string Diagnostics::encode() const {
    std::string out;
    for (const auto& [key, points] : series_)
        put_series(out, key, points.data(), points.size(), std::numeric_limits<std::size_t>::max());
    return out;
}

std::vector<std::string> Diagnostics::messages() const {
    std::vector<std::string> messages(1);
    for (const auto& [key, points] : series_)
        for (std::size_t done = 0; done < points.size();) {
            auto& message = messages.back();
            const auto put =
                put_series(message, key, points.data() + done, points.size() - done, largest_message - message.size());
            done += put;
            if (put > 0) continue;
            if (message.empty()) break;  // names that fill a message: nobody has them
            messages.emplace_back();
        }
    if (messages.back().empty()) messages.pop_back();
    return messages;
}

Result<Diagnostics> Diagnostics::decode(std::string_view bytes) {
    Diagnostics out;
    for (Reader reader(bytes); !reader.done();) {
        auto name = reader.text();
        auto labels = name ? reader.text() : std::nullopt;
        const auto count = labels ? reader.length(point_bytes) : std::nullopt;
        if (!count) return fail(Errc::malformed, "a series of the telemetry is cut off");
        auto& points = out.series_[{std::move(*name), std::move(*labels)}];
        for (std::size_t n = 0; n < *count; ++n) {
            const auto ticks = reader.number<std::int64_t>().value_or(0);
            points.push_back({ticks, std::bit_cast<double>(reader.number<std::uint64_t>().value_or(0))});
        }
    }
    out.make_room();
    return out;
}

}  // namespace skerry::agent
