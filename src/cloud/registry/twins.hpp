// The twins of devices and modules: desired and reported properties, tags, versions, etags.
//
// Promises: as the registry: what a call returned is on disk, a failed call changed nothing.
// Threads:  one at a time (the cloud's worker). Calls block.
#pragma once

#include "cloud/registry/registry.hpp"
#include "cloud/registry/twin_document.hpp"

#include <boost/json/object.hpp>

#include <optional>
#include <string>
#include <vector>

namespace skerry::cloud {

struct Twin {
    model::Identity identity;
    std::int64_t version{2};
    std::int64_t etag_number{1};  // of tags and desired; a device's reports leave it alone
    boost::json::object tags{};
    TwinSection desired{};
    TwinSection reported{};

    [[nodiscard]] std::string etag() const;
};

// What a service asks for; absent members stay as they are.
struct TwinChange {
    std::optional<boost::json::object> tags{};
    std::optional<boost::json::object> desired{};
};
enum class ChangeKind { patch, replace };

// What a connected device must be told.
struct DesiredUpdate {
    model::Identity identity;
    boost::json::object patch{};  // with $version; the whole section after a replacement
    std::int64_t version{0};
};

struct ChangedTwin {
    Twin twin;
    std::optional<DesiredUpdate> update;
};

class TwinStore {
public:
    TwinStore(storage::Database& database, Registry& registry, const Clock& clock)
        : database_(database), registry_(registry), clock_(clock) {}

    [[nodiscard]] Outcome<Twin> find(const model::Identity& identity);
    [[nodiscard]] Outcome<ChangedTwin> change(const model::Identity& identity, const TwinChange& change,
                                              ChangeKind kind, const IfMatch& if_match);
    // The new version of the reported section.
    [[nodiscard]] Outcome<std::int64_t> report(const model::Identity& identity, const boost::json::object& patch);

    // A deployment's content ({"modulesContent":{module:{"properties.desired":{…}}}}, or moduleContent/deviceContent):
    // replaces the named modules' desired sections, and makes modules that are missing. All or nothing.
    [[nodiscard]] Outcome<std::vector<DesiredUpdate>> apply_content(const std::string& device_id,
                                                                    const boost::json::object& content);

private:
    [[nodiscard]] Outcome<> save(const Twin& twin);
    [[nodiscard]] Outcome<DesiredUpdate> apply_module(const model::Identity& identity,
                                                      const boost::json::object& content);

    storage::Database& database_;
    Registry& registry_;
    const Clock& clock_;
};

}  // namespace skerry::cloud
