// This file alone knows the logging library, whose code it takes from the headers.
#define SPDLOG_HEADER_ONLY
#define SPDLOG_FMT_EXTERNAL
#include "base/log.hpp"

#include "base/recent_log.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cctype>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace skerry::log {

namespace {
spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::debug: return spdlog::level::debug;
        case Level::info: return spdlog::level::info;
        case Level::warning: return spdlog::level::warn;
        case Level::error: return spdlog::level::err;
        case Level::fatal: return spdlog::level::critical;
    }
    return spdlog::level::info;
}

// The syslog severity, and the three letters behind it.
struct Tag {
    char severity;
    std::string_view letters;
};

Tag tag_of(spdlog::level::level_enum level) {
    switch (level) {
        case spdlog::level::critical: return {'0', "FTL"};
        case spdlog::level::err: return {'3', "ERR"};
        case spdlog::level::warn: return {'4', "WRN"};
        case spdlog::level::info: return {'6', "INF"};
        default: return {'7', "DBG"};
    }
}

void append(spdlog::memory_buf_t& out, std::string_view text) { out.append(text.data(), text.data() + text.size()); }

class SeverityFlag final : public spdlog::custom_flag_formatter {
public:
    void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
        out.push_back(tag_of(message.level).severity);
    }
    [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<SeverityFlag>();
    }
};

class LettersFlag final : public spdlog::custom_flag_formatter {
public:
    void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
        append(out, tag_of(message.level).letters);
    }
    [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<LettersFlag>();
    }
};

// The text on one line: what a client sent can't forge a second log line.
class OneLineFlag final : public spdlog::custom_flag_formatter {
public:
    explicit OneLineFlag(bool json) : json_(json) {}
    void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
        for (const char character : message.payload) {
            const auto byte = static_cast<unsigned char>(character);
            if (byte < 0x20 || byte == 0x7f)
                append(out, fmt::format("\\u{:04x}", byte));
            else if (json_ && (character == '"' || character == '\\'))
                append(out, std::string{'\\', character});
            else
                out.push_back(character);
        }
    }
    [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<OneLineFlag>(json_);
    }

private:
    bool json_;
};

std::unique_ptr<spdlog::formatter> formatter_for(Format format) {
    auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
    formatter->add_flag<SeverityFlag>('*').add_flag<LettersFlag>('?').add_flag<OneLineFlag>('~',
                                                                                            format == Format::json);
    formatter->set_pattern(format == Format::text
                               ? "<%*> %Y-%m-%d %H:%M:%S.%e +00:00 [%?] - %~"
                               : R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","severity":%*,"level":"%?","text":"%~"})");
    return formatter;
}

class RecentSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit RecentSink(std::size_t most) : most_(most) {}
    void keep(std::size_t most) {
        const std::lock_guard held(mutex_);
        most_ = most;
        forget_old();
    }
    [[nodiscard]] std::vector<RecentLine> lines() {
        const std::lock_guard held(mutex_);
        return {lines_.begin(), lines_.end()};
    }

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        bytes_ += line.size();
        lines_.push_back({std::chrono::time_point_cast<WallTime::duration>(message.time), fmt::to_string(line)});
        forget_old();
    }
    void flush_() override {}

private:
    void forget_old() {
        for (; bytes_ > most_; lines_.pop_front()) bytes_ -= lines_.front().text.size();
    }

    std::size_t most_;
    std::size_t bytes_{0};
    std::deque<RecentLine> lines_;
};

RecentSink* recent_sink() {
    const auto& sinks = spdlog::default_logger_raw()->sinks();
    for (const auto& sink : sinks)
        if (auto* const recent = dynamic_cast<RecentSink*>(sink.get())) return recent;
    return nullptr;
}
}  // namespace

std::optional<Level> parse_level(std::string_view text) {
    std::string word(text.substr(0, text.find(',')));
    std::ranges::transform(word, word.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (word == "fatal") return Level::fatal;
    if (word == "error") return Level::error;
    if (word == "warning" || word == "warn") return Level::warning;
    if (word == "info" || word == "information") return Level::info;
    if (word == "debug" || word == "verbose" || word == "trace") return Level::debug;
    return std::nullopt;
}

void configure(Level level, Format format) {
    auto logger = std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stdout_sink_mt>());
    logger->set_formatter(formatter_for(format));
    logger->set_level(to_spdlog(level));
    logger->flush_on(spdlog::level::debug);
    spdlog::set_default_logger(std::move(logger));
}

bool enabled(Level level) { return spdlog::default_logger_raw()->should_log(to_spdlog(level)); }

void write(Level level, std::string_view text) {
    spdlog::default_logger_raw()->log(to_spdlog(level), spdlog::string_view_t(text.data(), text.size()));
}

void keep_recent(std::size_t bytes) {
    if (auto* const there = recent_sink()) return there->keep(bytes);
    auto& sinks = spdlog::default_logger_raw()->sinks();
    auto recent = std::make_shared<RecentSink>(bytes);
    recent->set_formatter(formatter_for(Format::text));
    sinks.push_back(std::move(recent));
}

std::vector<RecentLine> recent_lines() {
    auto* const recent = recent_sink();
    return recent == nullptr ? std::vector<RecentLine>{} : recent->lines();
}

}  // namespace skerry::log
