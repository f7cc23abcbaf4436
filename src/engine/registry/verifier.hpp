// Says which image may be run: the one of a digest whose signature was verified, where a rule demands that.
//
// Promises: what is verified is a digest, and the answer names that digest: a tag that moves afterwards moves nothing
//           here. A registry that can't be reached is answered for by what was verified before; one that has no
//           (fitting) signature is not.
#pragma once

#include "engine/registry/policy.hpp"
#include "engine/registry/registry.hpp"
#include "engine/registry/verified.hpp"
#include "platform/platform.hpp"

#include <boost/json/object.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace skerry::engine::registry {

struct VerifierOptions {
    TrustPolicy policy;
    std::filesystem::path kept;                                 // signatures that were verified
    std::filesystem::path certificates{"/etc/docker/certs.d"};  // <registry>/*.crt: authorities, as the engine has them
};

class Verifier {
public:
    Verifier(Platform platform, VerifierOptions options);

    // What the engine takes for insecure; asked for again with each new start of it.
    void set_insecure(std::vector<std::string> ranges, std::vector<std::string> names);

    // The reference to run: `image` itself where no rule demands more, or "place@sha256:…". `may_ask`: the registry.
    // Errc::unauthorized when the image may not run, and why.
    [[nodiscard]] Task<Result<std::string>> check(std::string image, boost::json::object auth, bool may_ask);

private:
    [[nodiscard]] Task<Result<VerifiedImage>> ask(ImageName image, const TrustRule& rule, boost::json::object auth);
    [[nodiscard]] std::string authorities_of(const std::string& registry);

    Platform platform_;
    VerifierOptions options_;
    VerifiedImages kept_;
    std::vector<std::string> insecure_ranges_;
    std::vector<std::string> insecure_names_;
};

}  // namespace skerry::engine::registry
