// Clears away images that modules used to be made of.
//
// Promises: never removes an image that a container is made of (anybody's), that the agent is made of by config.toml or
//           was made of before the one on trial, that the daemon did not pull, or that a rollback may need: an image
//           must have been unused for rollback_reserve while this daemon ran, which is longer than any deployment's
//           probation; after a power cut in the middle of one it counts anew. Errors end nothing: a run that fails, and
//           an image that can't be removed, are tried again with the next one. Nothing is forced.
#pragma once

#include "daemon/image_config.hpp"
#include "daemon/image_use.hpp"
#include "engine/engine.hpp"
#include "platform/platform.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace skerry::daemon {

// The next time it is `time_of_day` by local time, after `now`.
[[nodiscard]] WallTime next_time_of_day(WallTime now, std::chrono::minutes time_of_day);

class ImageGarbage {
public:
    // `agents`: what the agent may have to be made of, as it is at the time of a run.
    ImageGarbage(Platform platform, ImageGarbageConfig config, engine::ImageStore& images, ImageUse& use,
                 std::function<std::vector<model::ModuleSpec>()> agents);

    // Until it is cancelled: the first run at the next cleanup_time, later ones every cleanup_recurrence.
    [[nodiscard]] Task<> run();
    // One run; how many images were removed.
    [[nodiscard]] Task<Result<std::size_t>> clear();

private:
    [[nodiscard]] Task<> until_due(bool first);
    // Ids of images that must stay, whatever their age.
    [[nodiscard]] Task<Result<std::vector<std::string>>> needed();

    Platform platform_;
    ImageGarbageConfig config_;
    engine::ImageStore& images_;
    ImageUse& use_;
    std::function<std::vector<model::ModuleSpec>()> agents_;
};

}  // namespace skerry::daemon
