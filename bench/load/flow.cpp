#include "load/flow.hpp"

#include "load/stamp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <stdexcept>
#include <utility>

namespace skerry::load {

namespace wire = codec::mqtt;

namespace {
constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t poll_limit = second / 100;
constexpr std::int64_t opening_limit = 60 * second;
constexpr std::size_t most_waiting = 2'000'000;  // of an open loop that the server can't follow
}  // namespace

// What all clients of one run share: its clock, its limits and its sums.
struct Flow::Shared {
    const Options& options;
    FlowResult result;
    std::int64_t measure_from{0};
    std::int64_t measure_until{0};
    std::int64_t last_news{0};
    std::uint64_t left{0};  // messages that may still be sent; closed loop
    std::string failure;
    bool sending{false};

    [[nodiscard]] bool is_measured(std::int64_t time) const { return time >= measure_from && time < measure_until; }
};

class Flow::Publisher final : public Client {
public:
    Publisher(Poller& poller, const Target& target, Account account, Shared& shared, std::size_t number)
        : Client(poller, target, std::move(account)),
          shared_(shared),
          number_(static_cast<std::uint32_t>(number)),
          in_flight_(std::max<std::size_t>(1, shared.options.window)) {
        const auto topic = topic_of(shared_.options.topic, number, this->account());
        const auto qos = static_cast<wire::QoS>(shared_.options.qos);
        const std::string payload(std::max(shared_.options.size, sizeof(Stamp)), 'x');
        if (!wire::encode_publish(topic, payload, qos, false, false, qos == wire::QoS::at_most_once ? 0 : 1, packet_))
            throw std::runtime_error("the topic or the payload is too long for MQTT");
        payload_at_ = packet_.size() - payload.size();
    }

    [[nodiscard]] std::uint64_t sent() const { return sequence_; }
    [[nodiscard]] bool is_done() const { return waiting_.empty() && unacknowledged_ == 0; }

    // Open loop: to be sent as soon as the window allows.
    void add_due(std::int64_t intended) {
        if (waiting_.size() < most_waiting) waiting_.push_back(intended);
    }

    void pump(std::int64_t now) {
        if (!admitted()) return;
        bool any = false;
        if (shared_.options.rate > 0) {
            for (; !waiting_.empty() && may_send(); waiting_.pop_front(), any = true) send(waiting_.front());
        } else {
            for (; shared_.sending && shared_.left > 0 && may_send(); --shared_.left, any = true) send(now);
        }
        if (any) flush();
    }

private:
    [[nodiscard]] bool may_send() const { return unacknowledged_ < in_flight_.size() && has_room(); }

    void send(std::int64_t intended) {
        const auto start = out().size();
        out().append(packet_);
        if (shared_.options.qos > 0) {
            const auto slot = sequence_ % in_flight_.size();
            const auto id = static_cast<std::uint16_t>(slot + 1);
            out()[start + payload_at_ - 2] = static_cast<char>(id >> 8);
            out()[start + payload_at_ - 1] = static_cast<char>(id & 0xff);
            in_flight_[slot] = intended;
            ++unacknowledged_;
        }
        write_stamp({.publisher = number_, .sequence = sequence_, .intended = intended},
                    out().data() + start + payload_at_);
        ++sequence_;
        ++shared_.result.sent;
    }

    void on_admitted() override {}
    void on_failure() override {
        if (shared_.failure.empty()) shared_.failure = failure();
    }
    void on_puback(std::uint16_t id) override {
        if (id == 0 || id > in_flight_.size() || unacknowledged_ == 0) return fail("a PUBACK that was not expected");
        const auto now = now_ns();
        shared_.last_news = now;
        --unacknowledged_;
        ++shared_.result.acked;
        if (shared_.is_measured(now)) ++shared_.result.measured_acked;
        if (shared_.is_measured(in_flight_[id - 1U])) shared_.result.ack_latency.record(now - in_flight_[id - 1U]);
        // A burst of acknowledgements is answered with a burst: half a window is enough of one.
        if (unacknowledged_ * 2 <= in_flight_.size()) pump(now);
    }

    Shared& shared_;
    std::uint32_t number_;
    std::string packet_;
    std::size_t payload_at_{0};
    std::uint64_t sequence_{0};
    std::deque<std::int64_t> waiting_;
    std::vector<std::int64_t> in_flight_;  // intended times, by id - 1
    std::size_t unacknowledged_{0};
};

class Flow::Subscriber final : public Client {
public:
    Subscriber(Poller& poller, const Target& target, Account account, Shared& shared, std::size_t number)
        : Client(poller, target, std::move(account)), shared_(shared), number_(number) {}

    [[nodiscard]] bool is_subscribed() const { return subscribed_; }
    // When the next message will have been handled; INT64_MAX: there is none.
    [[nodiscard]] std::int64_t handled_next() const { return handling_.empty() ? INT64_MAX : handling_.front().first; }
    void acknowledge_handled(std::int64_t now) {
        if (handled_next() > now) return;
        for (; handled_next() <= now; handling_.pop_front()) put(wire::Puback{handling_.front().second});
        flush();
    }
    [[nodiscard]] const Ledger& ledger() const { return ledger_; }

private:
    void on_admitted() override {
        put(wire::Subscribe{
            1, {{topic_of(shared_.options.filter, number_, account()), static_cast<wire::QoS>(shared_.options.qos)}}});
    }
    void on_suback(std::uint8_t code) override {
        if (code > 1) return fail(fmt::format("SUBSCRIBE is answered with {:#x}", code));
        subscribed_ = true;
    }
    void on_failure() override {
        if (shared_.failure.empty()) shared_.failure = failure();
    }
    void on_message(std::string_view payload, std::uint16_t id) override {
        const auto now = now_ns();
        shared_.last_news = now;
        const auto handled = now + static_cast<std::int64_t>(shared_.options.handle * 1e6);
        if (id != 0 && handled > now) handling_.emplace_back(handled, id);
        if (id != 0 && handled == now) put(wire::Puback{id});
        const auto stamp = read_stamp(payload);
        if (!stamp) return;
        ++shared_.result.received;
        const auto verdict = ledger_.note(stamp->publisher, stamp->sequence);
        if (shared_.is_measured(now)) ++shared_.result.measured_received;
        if (shared_.is_measured(stamp->intended) && verdict != Ledger::Verdict::duplicate)
            shared_.result.delivery_latency.record(now - stamp->intended);
    }

    Shared& shared_;
    std::size_t number_;
    bool subscribed_{false};
    std::deque<std::pair<std::int64_t, std::uint16_t>> handling_;  // until when, and which
    Ledger ledger_;
};

Flow::Flow(const Options& options, const Target& target)
    : options_(options), shared_(std::make_unique<Shared>(Shared{.options = options})) {
    for (std::size_t i = 0; i < options.publishers; ++i)
        publishers_.push_back(std::make_unique<Publisher>(poller_, target, account_of(options, i, "pub"), *shared_, i));
    for (std::size_t i = 0; i < options.subscribers; ++i)
        subscribers_.push_back(std::make_unique<Subscriber>(
            poller_, target, account_of(options, options.publishers + i, "sub"), *shared_, i));
    shared_->measure_until = INT64_MAX;
}

Flow::~Flow() = default;

// A few at a time: a listen backlog is short.
bool Flow::open_all(std::int64_t limit) {
    std::vector<Client*> all;
    for (auto& one : subscribers_) all.push_back(one.get());
    for (auto& one : publishers_) all.push_back(one.get());
    std::size_t dialled = 0;
    const auto is_up = [](const Client* client) { return client->admitted(); };
    while (now_ns() < limit && shared_->failure.empty()) {
        const auto up = static_cast<std::size_t>(std::count_if(all.begin(), all.end(), is_up));
        for (; dialled < all.size() && dialled < up + options_.at_once; ++dialled) all[dialled]->dial();
        if (up == all.size() && std::ranges::all_of(subscribers_, [](auto& one) { return one->is_subscribed(); }))
            return true;
        poller_.poll(poll_limit);
    }
    if (shared_->failure.empty()) shared_->failure = "not all clients were admitted within a minute";
    return false;
}

std::int64_t Flow::due_at(std::uint64_t message) const {
    return begun_ +
           static_cast<std::int64_t>(static_cast<double>(message) * static_cast<double>(second) / options_.rate);
}

void Flow::send_what_is_due(std::int64_t now) {
    if (options_.rate > 0) {
        const auto most = options_.count > 0 ? options_.count : UINT64_MAX;
        for (; given_out_ < most && due_at(given_out_) <= std::min(now, shared_->measure_until); ++given_out_) {
            publishers_[next_publisher_]->add_due(due_at(given_out_));
            next_publisher_ = (next_publisher_ + 1) % publishers_.size();
        }
    }
    for (auto& publisher : publishers_) publisher->pump(now);
}

void Flow::send_until_done() {
    shared_->sending = true;
    shared_->left = options_.count > 0 ? options_.count : UINT64_MAX;
    for (;;) {
        const auto now = now_ns();
        if (now >= shared_->measure_until || !shared_->failure.empty()) break;
        if (options_.count > 0 && (options_.rate > 0 ? given_out_ >= options_.count : shared_->left == 0)) break;
        send_what_is_due(now);
        const auto until_due = options_.rate > 0 ? due_at(given_out_) - now_ns() : poll_limit;
        poll(std::clamp<std::int64_t>(until_due, 0, poll_limit));
    }
    shared_->sending = false;
}

bool Flow::everything_arrived() const {
    const auto& result = shared_->result;
    if (options_.qos > 0 && result.acked < result.sent) return false;
    const auto is_handling = [](const auto& one) { return one->handled_next() < INT64_MAX; };
    if (std::ranges::any_of(subscribers_, is_handling)) return false;
    if (publishers_.empty()) return options_.expect > 0 && subscribers_.front()->ledger().distinct() >= options_.expect;
    if (!std::ranges::all_of(publishers_, [](const auto& one) { return one->is_done(); })) return false;
    return std::ranges::all_of(subscribers_, [&](const auto& one) { return one->ledger().distinct() >= result.sent; });
}

void Flow::wait_for_rest() {
    const auto quiet = static_cast<std::int64_t>(options_.quiet * static_cast<double>(second));
    const auto limit = begun_ +
                       static_cast<std::int64_t>((options_.warmup + options_.seconds) * static_cast<double>(second)) +
                       60 * second;
    shared_->last_news = std::max(shared_->last_news, now_ns());
    while (shared_->failure.empty() && !everything_arrived()) {
        const auto now = now_ns();
        if (now - shared_->last_news > quiet || now > limit) return;
        for (auto& publisher : publishers_) publisher->pump(now);
        poll(poll_limit);
    }
}

void Flow::poll(std::int64_t nanoseconds) {
    if (options_.handle > 0)
        for (const auto& subscriber : subscribers_)
            nanoseconds = std::min(nanoseconds, std::max<std::int64_t>(0, subscriber->handled_next() - now_ns()));
    poller_.poll(nanoseconds);
    if (options_.handle > 0)
        for (const auto& subscriber : subscribers_) subscriber->acknowledge_handled(now_ns());
}

FlowResult Flow::run(void (*tell)(const std::string&)) {
    if (!open_all(now_ns() + opening_limit)) {
        shared_->result.ended = "failed";
        shared_->result.error = shared_->failure;
        return std::move(shared_->result);
    }
    tell(fmt::format("{} publishers and {} subscribers are connected", publishers_.size(), subscribers_.size()));
    begun_ = shared_->last_news = now_ns();
    shared_->measure_from = begun_ + static_cast<std::int64_t>(options_.warmup * static_cast<double>(second));
    shared_->measure_until =
        shared_->measure_from + static_cast<std::int64_t>(options_.seconds * static_cast<double>(second));
    if (!publishers_.empty()) send_until_done();
    // A run of a count is measured up to its last message.
    if (options_.count > 0 || publishers_.empty()) shared_->measure_until = INT64_MAX;
    wait_for_rest();
    ended_ = shared_->last_news;
    return finish();
}

FlowResult Flow::finish() {
    auto& result = shared_->result;
    const auto until = std::min(ended_, shared_->measure_until);
    result.seconds = static_cast<double>(std::max<std::int64_t>(1, until - shared_->measure_from)) / second;
    for (const auto& subscriber : subscribers_) {
        result.duplicates += subscriber->ledger().duplicates();
        result.out_of_order += subscriber->ledger().out_of_order();
        for (std::uint32_t i = 0; i < publishers_.size(); ++i)
            result.lost += subscriber->ledger().missing(i, publishers_[i]->sent());
        if (publishers_.empty())
            result.lost += options_.expect - std::min(options_.expect, subscriber->ledger().distinct());
    }
    result.ended = !shared_->failure.empty() ? "failed" : everything_arrived() ? "complete" : "quiet";
    result.error = shared_->failure;
    return std::move(result);
}

}  // namespace skerry::load
