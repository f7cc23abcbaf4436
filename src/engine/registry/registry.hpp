// A registry's own API (Docker Registry HTTP API v2, which the OCI's distribution API became), as far as verifying a
// signature needs it: what a tag stands for, a manifest, a small blob.
//
// Promises: credentials go to the registry and to the token server that it names, never along with a redirect, and over
//           plain HTTP only to a registry that the engine, too, takes for insecure. What comes is checked against its
//           digest wherever one is known.
// Bounds:   4 MB a manifest, 64 KB a blob, 30 s a request, 5 redirects.
#pragma once

#include "base/result.hpp"
#include "base/task.hpp"
#include "engine/registry/challenge.hpp"
#include "engine/registry/image_name.hpp"
#include "net/http.hpp"
#include "platform/platform.hpp"

#include <boost/json/object.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::engine::registry {

struct RegistryAccess {
    bool insecure{false};      // plain HTTP where HTTPS does not work
    boost::json::object auth;  // username, password; may be empty
    std::string trusted_pem;   // beside the system's authorities
};

class Registry {
public:
    Registry(Platform platform, ImageName image, RegistryAccess access);

    // The digest of what the tag stands for at the moment.
    [[nodiscard]] Task<Result<std::string>> resolve(std::string tag);
    // Errc::not_found when there is none.
    [[nodiscard]] Task<Result<std::string>> manifest(std::string reference);
    [[nodiscard]] Task<Result<std::string>> blob(std::string digest, std::size_t most);

private:
    [[nodiscard]] Task<Result<codec::HttpResponse>> get(std::string target, std::size_t most);
    [[nodiscard]] Task<Result<codec::HttpResponse>> fetch(Address address, std::string authorization, std::size_t most);
    [[nodiscard]] Task<Result<codec::HttpResponse>> follow(codec::HttpResponse answer, Address from, std::size_t most);
    [[nodiscard]] Task<Result<>> sign_in(codec::HttpResponse refusal);
    [[nodiscard]] Task<Result<std::string>> fetch_token(Challenge challenge);
    [[nodiscard]] Result<net::Connector> connector_to(const Address& address);
    [[nodiscard]] std::string basic() const;

    Platform platform_;
    ImageName image_;
    RegistryAccess access_;
    std::optional<Address> address_;  // once it is known how it speaks
    std::string authorization_;
    std::shared_ptr<net::TlsClient> tls_;
};

// Whether the engine takes the registry for insecure: by its ranges ("127.0.0.0/8") or by its name.
[[nodiscard]] bool is_insecure(const std::string& registry, const std::vector<std::string>& ranges,
                               const std::vector<std::string>& names);

}  // namespace skerry::engine::registry
