#include "daemon/image_garbage.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

namespace skerry::daemon {

using namespace std::chrono_literals;

namespace {
constexpr Duration day = 24h;
constexpr Duration longest_look = 10min;  // the wall clock may jump

bool contains(const std::vector<std::string>& list, const std::string& id) {
    return std::ranges::find(list, id) != list.end();
}
}  // namespace

WallTime next_time_of_day(WallTime now, std::chrono::minutes time_of_day) {
    const auto seconds = std::chrono::system_clock::to_time_t(now);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    local.tm_hour = static_cast<int>(time_of_day.count() / 60);
    local.tm_min = static_cast<int>(time_of_day.count() % 60);
    local.tm_sec = 0;
    local.tm_isdst = -1;
    auto due = local;
    auto at = std::chrono::system_clock::from_time_t(::mktime(&due));
    if (at > now) return at;
    ++local.tm_mday;
    return std::chrono::system_clock::from_time_t(::mktime(&local));
}

ImageGarbage::ImageGarbage(Platform platform, ImageGarbageConfig config, engine::ImageStore& images, ImageUse& use,
                           std::function<std::vector<model::ModuleSpec>()> agents)
    : platform_(platform), config_(config), images_(images), use_(use), agents_(std::move(agents)) {}

Task<> ImageGarbage::run() {
    if (!config_.enabled) co_return;
    for (bool first = true;; first = false) {
        co_await until_due(first);
        const auto removed = co_await clear();
        if (!removed)
            log::warn("images are not cleared away this time: {}", removed.error().text);
        else if (*removed > 0)
            log::info("{} unused image(s) were removed", *removed);
    }
}

Task<> ImageGarbage::until_due(bool first) {
    auto& clock = platform_.clock;
    if (config_.recurrence < day) co_return co_await clock.sleep(config_.recurrence);
    const auto later = first ? Duration(0) : config_.recurrence - day;
    auto due = next_time_of_day(clock.wall(), config_.time_of_day) + later;
    for (;;) {
        const auto left = due - clock.wall();
        if (left <= 0s) co_return;
        if (left > config_.recurrence + day) {  // the clock was set back
            due = next_time_of_day(clock.wall(), config_.time_of_day);
            continue;
        }
        co_await clock.sleep(std::min<Duration>(left, longest_look));
    }
}

Task<Result<std::vector<std::string>>> ImageGarbage::needed() {
    auto ids = co_await images_.image_ids_in_use();
    if (!ids) co_return std::unexpected(ids.error());
    for (auto& agent : agents_()) {
        auto id = co_await images_.image_id(std::move(agent));
        if (id)
            ids->push_back(std::move(*id));
        else if (id.error().code != Errc::not_found)
            co_return fail(id.error().while_doing("looking for the agent's image"));
    }
    co_return ids;
}

Task<Result<std::size_t>> ImageGarbage::clear() {
    const auto here = co_await images_.image_ids();
    if (!here) co_return std::unexpected(here.error());
    for (const auto& id : use_.all())
        if (!contains(*here, id)) use_.forget(id);
    const auto keep = co_await needed();
    if (!keep) co_return std::unexpected(keep.error());
    std::size_t count = 0;
    for (const auto& id : use_.unused_for(config_.threshold, config_.rollback_reserve)) {
        if (contains(*keep, id)) {
            // It is used for as long as it has a container: its age begins with the end of that.
            use_.used(id);
            continue;
        }
        if (const auto removed = co_await images_.remove_image(id); !removed) {
            log::warn("image {} can't be removed, and is tried again: {}", id, removed.error().text);
            continue;
        }
        log::info("image {} was removed: unused for {} days", id,
                  std::chrono::duration_cast<std::chrono::hours>(config_.threshold).count() / 24);
        use_.forget(id);
        ++count;
    }
    co_return count;
}

}  // namespace skerry::daemon
