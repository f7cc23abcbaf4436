// Which images the daemon pulled, and when each was last used: <home>/gc/image_use, in the existing runtime's format
// (lines "<image id> <seconds since 1970>").
//
// Promises: ages survive a clock that jumps. What was used while this daemon runs is measured by the steady clock; what
//           a file of before says, by the wall clock, but a time in the future, or of a clock that was never set,
//           counts as now. A file that can't be read or written costs ages, nothing else.
// Bounds:   10,000 images; more are not known, and so never cleared away.
#pragma once

#include "base/clock.hpp"
#include "storage/files.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::daemon {

class ImageUse {
public:
    ImageUse(storage::Files& files, Clock& clock, const std::filesystem::path& home);

    // From now on it is ours to clear away.
    void pulled(const std::string& id);
    // Of images that were never pulled nothing is kept.
    void used(const std::string& id);
    void forget(const std::string& id);

    // Unused for `threshold`, and for `seen` while this daemon ran.
    [[nodiscard]] std::vector<std::string> unused_for(Duration threshold, Duration seen) const;
    [[nodiscard]] std::vector<std::string> all() const;

private:
    struct Use {
        std::int64_t time{0};              // seconds since 1970
        std::optional<SteadyTime> steady;  // of this process
    };
    [[nodiscard]] Duration age(const Use& use) const;
    void read();
    void write();

    storage::Files& files_;
    Clock& clock_;
    std::filesystem::path path_;
    SteadyTime started_;
    std::map<std::string, Use, std::less<>> uses_;
};

}  // namespace skerry::daemon
