// The hub's REST surface that an edge device uses: module identities with the device's credential, and the scope calls
// (iot-hub-wire.md 3.2, 3.3).
#pragma once

#include "iothub/credentials.hpp"
#include "model/identity.hpp"
#include "net/http.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace skerry::iothub {

struct SymmetricKeys {
    std::string primary;  // base64, as in JSON
    std::string secondary;
};

struct ModuleIdentity {
    std::string module_id;
    std::string generation_id;
    std::string managed_by;
    std::string etag;
    std::string authentication_type{"sas"};
    SymmetricKeys keys;
};

// A device or module as the scope calls describe it.
struct ScopeIdentity {
    model::Identity identity;
    std::string generation_id;
    bool enabled{true};
    std::string authentication_type{"sas"};  // sas | selfSigned | certificateAuthority | none
    SymmetricKeys keys;
    std::string primary_thumbprint;
    std::string secondary_thumbprint;
    bool iot_edge{false};
    std::string device_scope;
    std::vector<std::string> parent_scopes;
};
[[nodiscard]] Result<ScopeIdentity> parse_scope_device(const boost::json::object& json);
[[nodiscard]] Result<ScopeIdentity> parse_scope_module(const boost::json::object& json);
[[nodiscard]] boost::json::object to_json(const ScopeIdentity& identity);

// A call about module identities that an edge hub makes for somebody below it: all of it is theirs but who calls.
struct OnBehalfCall {
    std::string method;     // "PUT" or "POST"
    std::string operation;  // "putModuleOnBehalfOf", …: the last segment of the path
    std::string body;       // JSON, "authChain" in it
    std::string if_match;   // empty: none
};
// What the hub said to it, whatever it was.
struct OnBehalfAnswer {
    unsigned status{200};
    std::string body;
    std::string error_code;  // the header iothub-errorcode
};

// How the identities in a device's scope are asked for: with auth chains, or (NestedEdgeEnabled=false) the older form.
enum class ScopeForm { nested, flat };

// Errors of all calls: unreachable (no network, 5xx), timeout, unauthorized (401, 403), not_found (404), conflict (409,
// 412), full (429); the text carries the hub's own words.
class RegistryClient {
public:
    // `http` reaches the hub (or the parent); `credentials` sign each request.
    RegistryClient(std::unique_ptr<net::HttpClient> http, std::shared_ptr<Credentials> credentials,
                   std::string device_id, ScopeForm form = ScopeForm::nested);

    [[nodiscard]] Task<Result<std::vector<ModuleIdentity>>> list_modules();
    [[nodiscard]] Task<Result<ModuleIdentity>> get_module(std::string module_id);
    // Create: the hub assigns the generation id, keys of ours may be absent. Update replaces keys and managedBy.
    [[nodiscard]] Task<Result<ModuleIdentity>> create_module(std::string module_id, std::string managed_by);
    [[nodiscard]] Task<Result<ModuleIdentity>> update_module(const ModuleIdentity& module);
    [[nodiscard]] Task<Result<>> delete_module(std::string module_id);

    // With $edgeHub's credentials: everything in the device's scope, what is below its edge devices included, all pages
    // (at most 100,000 identities, else Errc::full); or one identity. `above`: the edge device that it is asked for,
    // and who is above that, up to this one; this one alone when empty. In the flat form only what is directly below.
    [[nodiscard]] Task<Result<std::vector<ScopeIdentity>>> scope();
    [[nodiscard]] Task<Result<std::vector<ScopeIdentity>>> scope_of(const model::Identity& target,
                                                                    const std::vector<std::string>& above = {});
    // With $edgeHub's credentials. Errors only when there was no answer; `limit` is for the whole of it.
    [[nodiscard]] Task<Result<OnBehalfAnswer>> on_behalf(OnBehalfCall call, Duration limit);

private:
    [[nodiscard]] Task<Result<codec::HttpResponse>> exchange(codec::HttpRequest request, Duration limit);
    [[nodiscard]] Task<Result<boost::json::value>> call(codec::HttpRequest request);
    [[nodiscard]] Task<Result<std::vector<ScopeIdentity>>> flat_scope();
    [[nodiscard]] Task<Result<ModuleIdentity>> put_module(ModuleIdentity module, bool create);
    [[nodiscard]] Task<Result<std::vector<ScopeIdentity>>> call_for_page(codec::HttpRequest request);
    [[nodiscard]] Task<Result<>> add_scope(const std::string& auth_chain, std::vector<ScopeIdentity>& found);
    std::unique_ptr<net::HttpClient> http_;
    std::shared_ptr<Credentials> credentials_;
    std::string device_id_;
    ScopeForm form_;
};

}  // namespace skerry::iothub
