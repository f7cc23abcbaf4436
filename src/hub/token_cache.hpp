// Tokens that the cloud has accepted, so that their clients may come back while it is away (CacheTokens, edge-hub.md
// 8.1).
//
// Promises: on disk they are sealed, as all secrets of the state store. A token counts until it expires, or the cloud
//           refuses one of the same client.
// Bounds:   one token per client, of 4 KiB at most, and `most` clients; a further one is not remembered.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "hub/state_store.hpp"
#include "model/identity.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace skerry::hub {

class TokenCache {
public:
    TokenCache(StateStore& store, Clock& clock, std::size_t most) : store_(store), clock_(clock), most_(most) {}

    // Calls `tell` with each that has not expired; the others are forgotten.
    using Tell = std::function<void(const model::Identity& identity, const std::string& token, WallTime expires)>;
    [[nodiscard]] Task<Result<>> load(Tell tell);

    [[nodiscard]] Task<> remember(model::Identity identity, std::string token, WallTime expires);
    [[nodiscard]] Task<> forget(model::Identity identity);
    // Whether this is the token that was accepted last, and is good still.
    [[nodiscard]] bool holds(const model::Identity& identity, std::string_view token) const;

private:
    [[nodiscard]] Task<> make_room();
    struct Entry {
        std::string token;
        WallTime expires;
    };
    StateStore& store_;
    Clock& clock_;
    std::size_t most_;
    std::map<model::Identity, Entry> entries_;
};

}  // namespace skerry::hub
