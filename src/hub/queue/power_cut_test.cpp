// Random workloads over a disk that loses its power at random points: publishing with fan-out, priorities and times to
// live, consumers that acknowledge out of order, go and come back, or stay away for lives, endpoints that are dropped,
// budgets, a disk that fails and is full, reboots. Between lives everything unsynced is lost, or torn.
//
// A failure prints its seed, which replays it: SKERRY_SEED=<seed> power_cuts (or test_hub -tc="whatever is cut*").
// SKERRY_SEEDS=<count> tries more of them. `./dev test` runs an optimised build of this file (tests/power_cuts) beside
// the sanitized one, `./dev test --long` more than 20,000 cuts. That it can fail: docs/proofs/power_cuts.md.
#include "base/log.hpp"
#include "hub/queue/ledger_test.hpp"
#include "hub/queue/life_test.hpp"
#include "sim/random.hpp"
#include "storage/segment_format.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;

namespace {
struct Counts {
    std::uint64_t cuts{0};
    std::uint64_t while_compacting{0};  // cuts that left an unfinished compact segment
    std::uint64_t compact_segments{0};  // found when a life begins
    std::uint64_t acknowledged{0};      // messages, to their publishers
};

struct Attempt {
    std::vector<QueueTarget> targets;
    std::uint64_t number{0};
    std::optional<Result<>> outcome;
};

Task<> publish(QueueStore& store, std::string body, std::vector<QueueTarget> targets,
               std::optional<Result<>>& outcome) {
    outcome = co_await store.append(text_message(std::move(body)), std::move(targets));
}

class Workload {
public:
    explicit Workload(std::uint64_t seed) : seed_(seed), random_(seed), disk_(seed * 31 + 7) {}

    void run(Counts& counts) {
        for (int life = 0; life < 24; ++life) one_life(true, counts);
        one_life(false, counts);
        counts.acknowledged += acknowledged_;
    }

private:
    static constexpr std::array<std::string_view, 3> endpoints{"iothub", "dev/a/in", "dev/b/in"};
    static constexpr std::uint32_t high_priority = 3;

    [[nodiscard]] bool one_in(std::uint64_t count) { return random_.below(count) == 0; }
    [[nodiscard]] std::string_view any_endpoint() { return endpoints[random_.below(endpoints.size())]; }
    [[nodiscard]] WallTime now() const { return life_->world.clock().wall(); }
    // The disk, or the budget, may refuse what is asked.
    [[nodiscard]] bool may_refuse(const Error& error) const {
        return disk_.is_off() || failing_ || (budget_ && error.code == Errc::full);
    }

    QueueLimits limits() {
        QueueLimits chosen;
        chosen.segment_bytes = 4096U << random_.below(3);
        chosen.cached = random_.below(3) * 4096;
        chosen.cursor_acknowledgements = 1 + random_.below(20);
        budget_ = one_in(4);
        if (budget_) chosen.bytes_on_disk = 64 * 1024;
        return chosen;
    }

    void one_life(bool with_cut, Counts& counts) {
        ++life_number_;
        plan_faults(with_cut);
        Life life(disk_, limits(), random_.next());
        life_ = &life;
        begin_life();
        const auto opened = life.open();
        if (!opened) {
            expect(may_refuse(opened.error()), "{}", opened.error().text);
        } else {
            check_lengths();
            for (int step = 0; step < 300 && !disk_.is_off(); ++step) one_step();
            if (!with_cut) drain_all();
            if (!disk_.is_off() && one_in(2)) close();
        }
        end_life(counts);
    }

    void plan_faults(bool with_cut) {
        const auto reach = one_in(2) ? std::uint64_t{100} : std::uint64_t{500};
        if (with_cut) disk_.cut_power_at(disk_.operations() + 1 + random_.below(1 + random_.below(reach)));
        failing_ = faulty_ && with_cut && one_in(2);
        if (failing_) disk_.fail_at(disk_.operations() + 1 + random_.below(100), one_in(2) ? Errc::io : Errc::full);
        hasty_ = !failing_ && one_in(6);
    }

    // True time goes on over all lives, the monotonic clock begins anew with a boot.
    void begin_life() {
        if (one_in(2)) {
            uptime_ = {};
            disk_.put("/proc/sys/kernel/random/boot_id", fmt::format("{:032x}\n", life_number_));
        }
        auto& clock = life_->world.clock();
        clock.advance(uptime_);
        clock.jump_wall(time_ - uptime_);
        began_ = clock.steady();
        if (one_in(3)) away_ = one_in(4) ? std::string_view() : any_endpoint();
        busy_ = endpoints[away_ == endpoints[0] ? 1 : 0];
        in_flight_.clear();
        ledger_.next_life();
    }

    void end_life(Counts& counts) {
        const auto lived = life_->world.clock().steady() - began_;
        time_ += lived;
        uptime_ += lived;
        counts.cuts += disk_.is_off() ? 1 : 0;
        life_->store.reset();
        disk_.restore_power();
        for (const auto& name : disk_.list("/queues").value_or(std::vector<std::string>())) {
            counts.while_compacting += name.ends_with(".tmp") ? 1 : 0;
            expect(faulty_ || !name.contains(".bad"), "a cut alone left {}", name);
            const auto header = storage::decode_header(disk_.contents("/queues/" + name));
            counts.compact_segments += header && header->compact_end > 0 ? 1 : 0;
        }
    }

    void one_step() {
        switch (random_.below(12)) {
            case 0:
            case 1:
            case 2:
            case 3: publish_some(); break;
            case 4:
            case 5: take_some(any_endpoint()); break;
            case 6: acknowledge_some(); break;
            case 7: bring_back(); break;
            case 8:
            case 9: catch_up(); break;
            case 10: drop_one(); break;
            default: let_time_pass(); break;
        }
    }

    std::vector<QueueTarget> some_targets() {
        std::vector<QueueTarget> targets;
        for (const auto endpoint : endpoints) {
            if (hasty_ ? endpoint != busy_ : !targets.empty() && one_in(2)) continue;
            const auto priority = one_in(4) ? high_priority : default_priority;
            std::optional<std::chrono::seconds> time_to_live;
            if (one_in(6)) time_to_live = std::chrono::seconds(random_.below(20));
            // After a failure what was promised less may come twice: not what this test is about.
            const auto asked = hasty_ ? random_.below(2) : failing_ ? 2 : std::min<std::uint64_t>(random_.below(4), 2);
            const auto durability = static_cast<Durability>(asked);
            targets.push_back({std::string(endpoint), priority, time_to_live, durability});
        }
        return targets;
    }

    void publish_some() {
        std::vector<Attempt> attempts(1 + random_.below(one_in(4) ? 16 : 3));
        {
            TaskScope scope(life_->world.executor());
            for (auto& attempt : attempts) {
                attempt.number = next_number_++;
                attempt.targets = some_targets();
                for (const auto& target : attempt.targets)
                    ledger_.sent({target.endpoint, target.priority}, attempt.number,
                                 target.time_to_live ? now() + *target.time_to_live : WallTime::max());
                const auto size = one_in(20) ? 6000 : random_.below(400);
                scope.spawn("publisher",
                            publish(*life_->store, body(attempt.number, size), attempt.targets, attempt.outcome));
            }
            life_->world.settle();
        }
        for (const auto& attempt : attempts) {
            expect(attempt.outcome.has_value(), "a publisher got no answer");
            if (!attempt.outcome.value()) {
                expect(may_refuse(attempt.outcome->error()), "{}", attempt.outcome->error().text);
                continue;
            }
            ++acknowledged_;
            const auto on_disk = std::ranges::any_of(
                attempt.targets, [](const auto& target) { return target.durability == Durability::disk; });
            if (!on_disk) continue;  // a cut may take it
            for (const auto& target : attempt.targets)
                ledger_.stored({target.endpoint, target.priority}, attempt.number);
        }
    }

    // False when there is nothing more.
    bool take_some(std::string_view endpoint) {
        if (endpoint == away_) return false;
        auto taken = life_->world.run(life_->store->endpoint(endpoint).take(1 + random_.below(60)));
        if (!taken) {
            expect(may_refuse(taken.error()), "{}", taken.error().text);
            return false;
        }
        for (auto& delivery : *taken) {
            saw(endpoint, delivery);
            in_flight_.emplace_back(endpoint, std::move(delivery));
        }
        return !taken->empty();
    }

    void saw(std::string_view endpoint, const Delivery& delivery) {
        const auto number = number_of(delivery);
        const auto complaint = ledger_.delivered({std::string(endpoint), delivery.priority}, number, now());
        expect(!complaint, "{} {}: {}", number, complaint.value_or(""), endpoint);
        expect(delivery.message->body == body(number, delivery.message->body.size()), "{} was changed", number);
    }

    void acknowledge(std::string_view endpoint, const Delivery& delivery) {
        life_->store->endpoint(endpoint).acknowledge(delivery);
        ledger_.consumed({std::string(endpoint), delivery.priority}, number_of(delivery));
    }

    void acknowledge_some() {
        std::erase_if(in_flight_, [this](const auto& each) {
            if (one_in(3)) return false;
            acknowledge(each.first, each.second);
            return true;
        });
    }

    // What an endpoint holds, and what it gave up by itself.
    std::uint64_t held_and_expired() {
        std::uint64_t sum = 0;
        for (const auto& queue : life_->store->status())
            if (queue.endpoint != away_) sum += queue.length + queue.expired;
        return sum;
    }

    // All that are there take what is due: as much as was counted, and nothing is missing.
    void catch_up() {
        const auto before = held_and_expired();
        auto acknowledged = in_flight_.size();
        // A window may be full of what is not stored yet: acknowledgements make room for the rest.
        for (bool more = true; more;) {
            const bool had = !in_flight_.empty();
            const auto took = take_all();
            acknowledged += took;
            more = had || took > 0;
        }
        if (disk_.is_off() || failing_) return;
        const auto after = held_and_expired();
        expect(before == acknowledged + after, "{} messages are missing", before - acknowledged - after);
    }

    std::size_t take_all() {
        const auto had = in_flight_.size();
        for (const auto endpoint : endpoints)
            while (!disk_.is_off() && take_some(endpoint)) continue;
        for (const auto& [endpoint, delivery] : in_flight_) acknowledge(endpoint, delivery);
        const auto took = in_flight_.size() - had;
        in_flight_.clear();
        return took;
    }

    // The consumers go away and come back: everything in flight is due again, in order.
    void bring_back() {
        if (!one_in(3)) return;
        for (const auto endpoint : endpoints) life_->store->endpoint(endpoint).return_all();
        for (const auto& [endpoint, delivery] : in_flight_)
            ledger_.given_back({endpoint, delivery.priority}, number_of(delivery));
        in_flight_.clear();
        ledger_.from_the_front();
    }

    void drop_one() {
        if (!one_in(8)) return;
        const auto endpoint = endpoints[1 + random_.below(endpoints.size() - 1)];
        const auto dropped = life_->world.run(life_->store->drop(endpoint));
        if (!dropped) expect(may_refuse(dropped.error()), "{}", dropped.error().text);
        ledger_.dropped(endpoint, dropped.has_value());
        std::erase_if(in_flight_, [&](const auto& each) { return each.first == endpoint; });
    }

    void let_time_pass() {
        const auto least = failing_ ? 3000ms : 100ms;  // after an error the store tries again a second later
        life_->world.run_for(one_in(8) ? Duration(31s) : Duration(least));
        if (!disk_.is_off()) ledger_.consumed_is_durable();
    }

    void close() {
        life_->close();
        if (!disk_.is_off() && !failing_) ledger_.consumed_is_durable();
    }

    void check_lengths() {
        if (disk_.is_off()) return;  // what can't be read is not counted exactly
        for (const auto endpoint : endpoints) {
            const auto [least, most] = ledger_.bounds(endpoint, now());
            const auto length = life_->store->endpoint(endpoint).length();
            expect(length >= least && length <= most, "{} holds {} messages, not {} to {}", endpoint, length, least,
                   most);
        }
    }

    void drain_all() {
        away_ = {};
        catch_up();
        for (const auto endpoint : endpoints) {
            const auto left = life_->store->endpoint(endpoint).length();
            expect(left == 0, "{} of {} messages are left", left, endpoint);
        }
        for (const auto& [name, number] : ledger_.lost(now())) expect(false, "{} was lost for {}", number, name.first);
    }

    // Millions of checks: only a failure may cost anything.
    template <class... Args>
    void expect(bool holds, fmt::format_string<Args...> format, Args&&... args) {
        if (!holds)
            FAIL_CHECK("seed ", seed_, ", life ", life_number_, ": ", fmt::format(format, std::forward<Args>(args)...));
    }

    static std::uint64_t number_of(const Delivery& delivery) { return std::stoull(delivery.message->body); }
    static std::string body(std::uint64_t number, std::size_t size) {
        auto text = std::to_string(number) + '.';
        text.resize(std::max(size, text.size()), static_cast<char>('a' + number % 26));
        return text;
    }

    std::uint64_t seed_;
    sim::SeededRandom random_;
    sim::Disk disk_;
    const bool faulty_{one_in(2)};  // now and then an operation fails
    Ledger ledger_;
    Duration time_{};    // over all lives
    Duration uptime_{};  // of this boot, before this life
    SteadyTime began_;
    std::uint64_t next_number_{1};
    std::uint64_t life_number_{0};
    std::uint64_t acknowledged_{0};
    bool failing_{false};  // one operation of this life fails
    bool hasty_{false};    // no message of this life asks for a sync
    bool budget_{false};
    Life* life_{nullptr};
    std::string_view away_;  // takes nothing
    std::string_view busy_;  // gets all messages of a hasty life
    std::vector<std::pair<std::string, Delivery>> in_flight_;
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const auto* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}
}  // namespace

TEST_CASE("whatever is cut off, every acknowledged message is delivered in order, and none comes back") {
    const auto first = from_environment("SKERRY_SEED", 1);
    const auto count = from_environment("SKERRY_SEEDS", std::getenv("SKERRY_SEED") ? 1 : 16);
    Counts counts;
    log::configure(log::Level::fatal, log::Format::text);  // what each cut left behind is not of interest
    for (auto seed = first; seed < first + count; ++seed) Workload(seed).run(counts);
    log::configure(log::Level::info, log::Format::text);
    MESSAGE(counts.cuts, " power cuts (", counts.while_compacting, " while compacting, ", counts.compact_segments,
            " compact segments met), ", counts.acknowledged, " messages acknowledged, seeds ", first, " to ",
            first + count - 1);
    CHECK(counts.cuts > 0);
    CHECK((count < 16 || counts.while_compacting > 0));
    CHECK((count < 16 || counts.compact_segments > 0));
}
