// Inputs come and go with the routes, whatever their pumps are doing.
#include "hub/pumps.hpp"

#include "base/loop.hpp"
#include "base/worker.hpp"
#include "hub/methods.hpp"
#include "hub/metrics/paper_queues_test.hpp"
#include "hub/state_store.hpp"
#include "hub/twins.hpp"
#include "sim/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <semaphore>

using namespace skerry;
using namespace skerry::hub;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {
model::Identity identity(std::string_view id) { return model::Identity::parse(id).value(); }

// One message, which the disk gives out when the test says so: until then the pump can't be told to stop.
struct SlowQueue final : EndpointQueue {
    explicit SlowQueue(const Executor& executor) : asked(executor) {}
    Task<Result<std::vector<Delivery>>> take(std::size_t) override {
        asked.set();
        co_await disk->run_job([this] { gives.acquire(); });
        auto message = std::make_shared<const model::Message>();
        co_return std::vector<Delivery>{{Offset{7}, default_priority, std::move(message)}};
    }
    Task<> wait() override { co_await Event(co_await boost::asio::this_coro::executor).wait(); }
    void acknowledge(const Delivery&) override { ++acknowledged; }
    void return_all() override {}
    void give_back(const Delivery&) override {}
    std::uint64_t length() const override { return 1; }

    std::unique_ptr<Worker> disk = make_thread_worker("disk");
    std::binary_semaphore gives{0};
    Event asked;
    int acknowledged{0};
};

class OneQueue final : public QueueStore {
public:
    explicit OneQueue(const Executor& executor) : queue(executor) {}
    Task<Result<>> append(model::SharedMessage, std::vector<QueueTarget>) override { co_return Result<>{}; }
    bool has_room() const override { return true; }
    Result<> submit(const model::SharedMessage&, const std::vector<QueueTarget>&, std::shared_ptr<StoreWaiter>,
                    std::uint64_t) override {
        return {};
    }
    EndpointQueue& endpoint(std::string_view) override { return queue; }
    Task<Result<>> drop(std::string_view) override { co_return Result<>{}; }
    void set_size_limit(std::uint64_t) override {}
    std::vector<QueueStatus> status() const override { return {}; }
    std::uint64_t bytes_on_disk() const override { return 0; }
    const StoreFigures& figures() const override { return store_figures; }
    Task<> close() override { co_return; }

    SlowQueue queue;
    StoreFigures store_figures;
};

struct NoCloud final : CloudLink {
    static Error away() { return {Errc::unreachable, "there is no cloud here"}; }
    Task<Result<>> send(model::Identity, model::SharedMessage) override { co_return fail(away()); }
    Task<> wait_ready(model::Identity) override { co_return; }
    Task<Result<json::object>> get_twin(model::Identity) override { co_return fail(away()); }
    Task<Result<>> report(model::Identity, json::object) override { co_return fail(away()); }
    void set_interests(const model::Identity&, CloudInterests) override {}
    Task<Result<std::vector<iothub::ScopeIdentity>>> scope() override { co_return fail(away()); }
    Task<Result<std::vector<iothub::ScopeIdentity>>> scope_of(model::Identity, std::vector<std::string>) override {
        co_return fail(away());
    }
    Task<Result<>> admit(model::Identity, std::string, WallTime) override { co_return fail(away()); }
    void use_token(const model::Identity&, std::string, WallTime) override {}
    Task<Result<iothub::OnBehalfAnswer>> relay(iothub::OnBehalfCall) override { co_return fail(away()); }
    bool connected() const override { return false; }
    Task<> close() override { co_return; }
};

struct Consumer final : Channel {
    bool takes_input(std::string_view) const override { return true; }
    bool writable() const override { return true; }
    void deliver_input(std::string_view, const model::Message&, DeliveryTag tag) override { tags.push_back(tag); }
    void deliver_to_device(const model::Message&, DeliveryTag) override {}
    void push_desired(const json::object&, std::int64_t) override {}
    void call_method(std::string_view, const iothub::MethodRequest&) override {}
    void close(std::string_view) override {}
    std::vector<DeliveryTag> tags;
};

Task<Result<std::string>> as_it_is(std::string text, std::string) { co_return text; }

struct Stage {
    Stage(const Executor& on, std::unique_ptr<StateStore> store) : executor(on), state(std::move(store)) {}

    Executor executor;
    std::unique_ptr<StateStore> state;
    SystemClock clock;
    SystemRandom random;
    OneQueue store{executor};
    NoCloud link;
    Metrics metrics{clock, "", 1h};
    Router router;
    Intake intake{router, store, random, identity("edge1/$edgeHub")};
    Twins twins{*state, link, metrics, clock, random, executor, 1s};
    Methods methods{metrics, clock, random, executor};
    Sessions sessions{{intake, twins, methods, link, metrics}, 10};
    Pumps pumps{store, link, metrics, clock, random, executor, 10};
    TaskScope tasks{executor};
};
}  // namespace

TEST_CASE("what a pump handed over while its route went may be acknowledged when the pump is gone") {
    Loop loop;
    const sim::TemporaryFolder folder;
    const auto main = [&](Event&) -> Task<int> {
        const auto worker = make_inline_worker();
        SystemRandom random;
        auto state = co_await StateStore::open(folder / "hub.db", *worker, {as_it_is, as_it_is}, random);
        Stage stage(loop.executor(), std::move(state).value());
        const auto filter = identity("edge1/filter");
        Consumer consumer;
        const auto session = stage.sessions.open(filter, {}, consumer).value();
        stage.pumps.start(stage.sessions);
        co_await stage.pumps.set_inputs({{filter, "in"}}, false);
        co_await stage.store.queue.asked.wait();

        stage.tasks.spawn("the route goes", stage.pumps.set_inputs({}, false));
        for (int turn = 0; turn < 10; ++turn) co_await next_turn();
        CHECK(stage.tasks.size() == 1);
        stage.store.queue.gives.release();
        co_await stage.tasks.idle();
        REQUIRE(consumer.tags.size() == 1);
        session->delivered(consumer.tags.front());
        CHECK(stage.store.queue.acknowledged == 0);
        co_await stage.pumps.close();
        co_await stage.twins.close();
        co_return 0;
    };
    CHECK(loop.run(main) == 0);
}
