#include "upstream/ways.hpp"

#include <algorithm>

namespace skerry::upstream {

Ways::Ways(MakeClient make, Clock& clock, Executor executor, std::size_t most, Duration idle_limit)
    : make_(std::move(make)), clock_(clock), most_(most), idle_limit_(idle_limit), closing_(std::move(executor)) {}

std::shared_ptr<Way> Ways::find(const model::Identity& identity) const {
    const auto found = ways_.find(identity);
    return found == ways_.end() ? nullptr : found->second;
}

std::shared_ptr<Way> Ways::open(const model::Identity& identity) {
    if (auto known = find(identity)) return known;
    if (closed_ || (ways_.size() >= most_ && !make_room())) return nullptr;
    auto way = std::make_shared<Way>();
    way->client = make_(identity);
    way->last_used = clock_.steady();
    ways_.emplace(identity, way);
    way->client->start();
    return way;
}

bool Ways::put(const model::Identity& identity, std::unique_ptr<iothub::DeviceClient> client) {
    const auto known = ways_.find(identity);
    if (closed_ || (known == ways_.end() && ways_.size() >= most_ && !make_room())) return false;
    auto way = std::make_shared<Way>();
    way->client = std::move(client);
    way->last_used = clock_.steady();
    if (known != ways_.end()) {
        way->wanted = known->second->wanted;
        drop(known);
    }
    ways_.emplace(identity, std::move(way));
    return true;
}

bool Ways::make_room() {
    auto longest = ways_.end();
    for (auto at = ways_.begin(); at != ways_.end(); ++at)
        if (at->second->idle() && (longest == ways_.end() || at->second->last_used < longest->second->last_used))
            longest = at;
    if (longest == ways_.end()) return false;
    drop(longest);
    return true;
}

void Ways::close_idle() {
    const auto now = clock_.steady();
    for (auto at = ways_.begin(); at != ways_.end();) {
        const auto current = at++;
        if (current->second->idle() && now - current->second->last_used >= idle_limit_) drop(current);
    }
}

void Ways::drop(std::map<model::Identity, std::shared_ptr<Way>>::iterator at) {
    closing_.spawn("closing the way of " + at->first.id(), end(at->second));
    ways_.erase(at);
}

Task<> Ways::end(std::shared_ptr<Way> way) { co_await way->client->close(); }

Task<> Ways::close() {
    closed_ = true;
    while (!ways_.empty()) drop(ways_.begin());
    co_await closing_.idle();
}

}  // namespace skerry::upstream
