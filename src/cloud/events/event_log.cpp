#include "cloud/events/event_log.hpp"

#include "base/log.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace skerry::cloud {

namespace {
constexpr std::size_t most_waiting_bytes = 8 * 1024 * 1024;
constexpr std::size_t batch_bytes = 256 * 1024;
}  // namespace

bool EventLog::Ticket::done() const { return group->done.is_set(); }

Result<std::unique_ptr<EventLog>> EventLog::open(storage::Files& files, std::filesystem::path folder,
                                                 EventLogLimits limits, Clock& clock, Worker& writer, Worker& reader,
                                                 Executor executor) {
    auto segments = Segments::open(files, folder, limits);
    if (!segments) return fail(segments.error());
    return std::unique_ptr<EventLog>(
        new EventLog(files, std::move(folder), std::move(*segments), clock, writer, reader, std::move(executor)));
}

EventLog::EventLog(storage::Files& files, std::filesystem::path folder, std::unique_ptr<Segments> segments,
                   Clock& clock, Worker& writer, Worker& reader, Executor executor)
    : files_(files),
      folder_(std::move(folder)),
      segments_(std::move(segments)),
      clock_(clock),
      writer_(writer),
      reader_(reader),
      executor_(executor),
      next_sequence_(segments_->next_sequence()),
      last_durable_(next_sequence_ - 1),
      gathering_(std::make_shared<Group>(executor)),
      work_(executor),
      room_(executor),
      grown_(executor),
      scope_(executor) {
    scope_.spawn("event log", write_groups());
}

Task<Result<EventLog::Ticket>> EventLog::append(Telemetry event) {
    while (!closing_ && gathering_->lines.size() >= most_waiting_bytes) co_await room_.wait();
    if (closing_) co_return fail(Errc::closed, "the event log is closed");
    const auto sequence = next_sequence_++;
    auto& group = *gathering_;
    if (group.lines.empty()) group.first = sequence;
    group.last = sequence;
    group.lines += event_line(event_json(event, sequence, clock_.wall()));
    work_.notify();
    co_return Ticket{sequence, gathering_};
}

Task<Result<>> EventLog::wait(Ticket ticket) {
    co_await ticket.group->done.wait();
    co_return ticket.group->result;
}

Task<Result<>> EventLog::append_durably(Telemetry event) {
    auto ticket = co_await append(std::move(event));
    if (!ticket) co_return fail(ticket.error());
    co_return co_await wait(std::move(*ticket));
}

Task<> EventLog::write_groups() {
    for (;;) {
        while (gathering_->lines.empty() && !closing_) co_await work_.wait();
        if (gathering_->lines.empty()) co_return;
        const auto group = std::exchange(gathering_, std::make_shared<Group>(executor_));
        room_.notify();
        group->result =
            co_await writer_.run([&] { return segments_->append(group->first, group->lines, clock_.wall()); });
        group->lines = {};
        if (group->result)
            last_durable_ = group->last;
        else
            log::error("event log: {} events were not stored and are not acknowledged: {}",
                       group->last - group->first + 1, group->result.error().text);
        group->done.set();
        grown_.notify();
    }
}

Task<> EventLog::close() {
    closing_ = true;
    work_.notify();
    room_.notify();
    co_await scope_.idle();
    grown_.notify();
}

Task<Result<>> EventLog::Reader::wait() {
    while (next_ > log_->last_durable_ && !log_->closing_) co_await log_->grown_.wait();
    if (next_ > log_->last_durable_) co_return fail(Errc::closed, "the event log is closed");
    co_return Result<>{};
}

Task<Result<std::vector<EventLog::Reader::Item>>> EventLog::Reader::read() {
    if (next_ > log_->last_durable_) co_return std::vector<Item>{};
    co_return co_await log_->reader_.run([this, until = log_->last_durable_] { return read_blocking(until); });
}

// Moves to the oldest segment that may hold `next_` and lies after the current one. False: there is none.
Result<bool> EventLog::Reader::open_next_segment() {
    const auto names = log_->files_.list(log_->folder_);
    if (!names) return fail(names.error());
    std::uint64_t chosen = 0;
    for (const auto& name : *names) {
        const auto first = parse_segment_name(name);
        if (!first || *first <= segment_) continue;
        if (chosen == 0 || *first <= next_) chosen = *first;
    }
    if (chosen == 0) return false;
    auto file = log_->files_.open(log_->folder_ / segment_name(chosen), storage::Files::Mode::read);
    if (!file) return fail(file.error());
    segment_ = chosen;
    lines_ = std::make_unique<LineReader>(std::move(*file), 0);
    return true;
}

Result<std::vector<EventLog::Reader::Item>> EventLog::Reader::read_blocking(std::uint64_t until) {
    std::vector<Item> items;
    std::size_t bytes = 0;
    while (bytes < batch_bytes) {
        if (!lines_) {
            const auto opened = open_next_segment();
            if (!opened) return fail(opened.error());
            if (!*opened) break;
        }
        Result<std::optional<LineReader::Line>> line = std::exchange(early_, std::nullopt);
        if (!*line) line = lines_->next();
        if (!line) return fail(line.error());
        if (!*line) {
            // The end of this segment, or of what is written so far: only a later segment tells which.
            if (next_ > until) break;
            const auto opened = open_next_segment();
            if (!opened) return fail(opened.error());
            if (*opened) continue;
            next_ = until + 1;  // what is missing was lost to damage or a failed write
            break;
        }
        const auto sequence = (*line)->head.sequence;
        if (sequence < next_) continue;
        if (sequence > until) {
            early_ = std::move(*line);
            break;
        }
        bytes += (*line)->json.size();
        next_ = sequence + 1;
        items.push_back({sequence, std::move((*line)->json)});
    }
    return items;
}

}  // namespace skerry::cloud
