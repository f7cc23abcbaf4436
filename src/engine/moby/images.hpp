// The images of a Moby engine: which one a module is made of, getting it, and what is here.
//
// Promises: an image that is here is enough when its registry is away, or when it is pinned by its digest. One pull at
// a
//           time per image. Where a signature is demanded (registry/), it is verified before anything is pulled, and
//           what is pulled and run is the digest that was verified. Whoever asks again within a minute gets the answer
//           of before: a module is prepared, then created.
#pragma once

#include "engine/engine.hpp"
#include "engine/keyed_lock.hpp"
#include "engine/moby/client.hpp"
#include "engine/registry/verifier.hpp"
#include "platform/platform.hpp"

#include <functional>
#include <map>
#include <string>

namespace skerry::engine::moby {

// What is pulled and run: the pinned digest, if there is one, whatever the tag is by now.
[[nodiscard]] std::string reference_of(const model::ModuleSpec& spec);

// The label of a module that comes back: the id of the image that it had. It counts while that is here, the deployment
// pins no digest and no rule demands a signature; else the image's name does.
inline constexpr std::string_view chosen_image_label = "net.skerry.image";

class Images final : public ImageStore {
public:
    using OnUse = std::function<void(const std::string& id, ImageUse use)>;
    Images(Client& client, Platform platform, OnUse on_use, registry::VerifierOptions signatures);

    // After each start of the engine.
    void learn(const EngineInfo& info) { verifier_.set_insecure(info.insecure_ranges, info.insecure_registries); }

    [[nodiscard]] Task<Result<>> prepare(model::ModuleSpec spec);
    // What the container is to be made of: by its digest where a signature is demanded.
    [[nodiscard]] Task<Result<std::string>> reference_to_run(model::ModuleSpec spec);

    Task<Result<std::string>> image_id(model::ModuleSpec spec) override;
    Task<Result<std::vector<std::string>>> image_ids() override;
    Task<Result<std::vector<std::string>>> image_ids_in_use() override { return client_.images_in_use(); }
    Task<Result<>> remove_image(std::string id) override;

private:
    struct Asked {
        SteadyTime when;
        std::string reference;  // what came of it
    };
    [[nodiscard]] Task<Result<std::string>> image_before(model::ModuleSpec spec);
    [[nodiscard]] Task<Result<>> get(model::ModuleSpec spec, std::string reference, bool enough);
    [[nodiscard]] Task<Result<>> pull(model::ModuleSpec spec, std::string reference);

    Client& client_;
    Platform platform_;
    OnUse on_use_;
    bool trusts_all_;  // no rule demands anything of any image
    registry::Verifier verifier_;
    KeyedLock pulls_;                     // by image
    std::map<std::string, Asked> fresh_;  // images asked for at their registry within the last minute
};

}  // namespace skerry::engine::moby
