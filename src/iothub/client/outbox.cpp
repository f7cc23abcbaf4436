#include "iothub/client/outbox.hpp"

#include <algorithm>
#include <utility>

namespace skerry::iothub {

struct Outbox::Entry {
    Entry(const Executor& executor, std::string on, model::SharedMessage what)
        : topic(std::move(on)), message(std::move(what)), done(executor) {}

    void finish(Result<> with) {
        result = std::move(with);
        done.set();
    }

    std::string topic;
    model::SharedMessage message;
    Event done;
    Result<> result;
    codec::mqtt::PacketId id{0};
    SteadyTime written{};
    bool abandoned{false};
};

namespace {
// SUBSCRIBE has the id above: it never meets a publish.
constexpr codec::mqtt::PacketId largest_id = 65534;
}  // namespace

Outbox::Outbox(Clock& clock, Executor executor, std::size_t window)
    : clock_(clock), executor_(executor), window_(std::clamp<std::size_t>(window, 1, 16384)), emptied_(executor) {}

std::shared_ptr<Outbox::Entry> Outbox::add(std::string topic, model::SharedMessage message) {
    return waiting_.emplace_back(std::make_shared<Entry>(executor_, std::move(topic), std::move(message)));
}

Task<Result<>> Outbox::wait(std::shared_ptr<Entry> entry) {
    struct GiveUp {
        Entry& entry;
        ~GiveUp() { entry.abandoned = true; }
    } give_up{*entry};
    co_await entry->done.wait();
    co_return std::move(entry->result);
}

void Outbox::fill(std::string& out) {
    while (!waiting_.empty() && in_flight_.size() < window_ && out.size() < most_written_ahead) {
        const auto entry = std::move(waiting_.front());
        waiting_.pop_front();
        if (entry->abandoned) continue;
        entry->id = next_id();
        entry->written = clock_.steady();
        codec::mqtt::encode_publish(entry->topic, entry->message->body, codec::mqtt::QoS::at_least_once, false, false,
                                    entry->id, out);
        entry->message.reset();
        entry->topic = {};
        in_flight_.push_back(entry);
    }
}

codec::mqtt::PacketId Outbox::next_id() {
    const auto in_use = [this](codec::mqtt::PacketId id) {
        return std::any_of(in_flight_.begin(), in_flight_.end(), [id](const auto& entry) { return entry->id == id; });
    };
    do last_id_ = last_id_ >= largest_id ? 1 : static_cast<codec::mqtt::PacketId>(last_id_ + 1);
    while (in_use(last_id_));
    return last_id_;
}

void Outbox::acknowledge(codec::mqtt::PacketId id) {
    // Acknowledgements come nearly in order: the first entry is the one almost always.
    const auto found =
        std::find_if(in_flight_.begin(), in_flight_.end(), [id](const auto& entry) { return entry->id == id; });
    if (found == in_flight_.end()) return;
    (*found)->finish({});
    in_flight_.erase(found);
    if (in_flight_.empty()) emptied_.notify();
}

void Outbox::fail_in_flight(const Error& why) {
    for (const auto& entry : std::exchange(in_flight_, {})) entry->finish(fail(why));
    emptied_.notify();
}

void Outbox::fail_waiting(const Error& why) {
    for (const auto& entry : std::exchange(waiting_, {})) entry->finish(fail(why));
}

std::optional<SteadyTime> Outbox::oldest() const {
    if (in_flight_.empty()) return std::nullopt;
    return in_flight_.front()->written;
}

Task<> Outbox::idle() {
    while (!in_flight_.empty()) co_await emptied_.wait();
}

}  // namespace skerry::iothub
