// Twin requests that wait for their answer, by $rid.
//
// Bounds: 16 at once.
#pragma once

#include "base/clock.hpp"
#include "base/event.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace skerry::iothub {

class TwinRequests {
public:
    // `first_id`: random, so that answers to an earlier process are not taken for ours.
    TwinRequests(Clock& clock, Executor executor, Duration limit, std::uint32_t first_id);

    struct Entry {
        explicit Entry(const Executor& executor) : done(executor) {}
        Event done;
        Result<std::string> body;
        SteadyTime deadline{};
    };
    // Errc::full beyond 16.
    [[nodiscard]] Result<std::pair<std::string, std::shared_ptr<Entry>>> open();
    // Waits for the body of the answer.
    [[nodiscard]] static Task<Result<std::string>> wait(std::shared_ptr<Entry> entry);

    void answer(std::string_view id, int status, std::string body);
    // Ends those that waited too long with Errc::timeout. Call it now and then.
    void expire();
    void fail_all(const Error& why);
    [[nodiscard]] std::size_t size() const { return open_.size(); }
    // Waits until none is open.
    [[nodiscard]] Task<> idle();

private:
    void finish(std::map<std::string, std::shared_ptr<Entry>, std::less<>>::iterator at, Result<std::string> body);

    Clock& clock_;
    Executor executor_;
    Duration limit_;
    std::uint32_t next_id_;
    std::map<std::string, std::shared_ptr<Entry>, std::less<>> open_;
    Signal emptied_;
};

}  // namespace skerry::iothub
