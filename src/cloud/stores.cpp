#include "cloud/stores.hpp"

#include "cloud/registry/schema.hpp"

namespace skerry::cloud {

Result<std::unique_ptr<Stores>> Stores::open(const std::filesystem::path& database, std::vector<std::string> hosts,
                                             std::string authorities_pem, Random& random, const Clock& clock) {
    auto opened = storage::Database::open(database, migrations);
    if (!opened) return fail(opened.error().while_doing("opening the registry"));
    auto policies = load_policies(**opened, random);
    if (!policies) return fail(Errc::io, policies.error().text);
    auto stores = std::make_unique<Stores>(std::move(*opened), std::move(*policies), std::move(hosts),
                                           std::move(authorities_pem), random, clock);
    if (auto released = stores->commands.release_all(); !released) return fail(Errc::io, released.error().text);
    return stores;
}

Stores::Stores(std::unique_ptr<storage::Database> opened, std::vector<Policy> loaded, std::vector<std::string> hosts,
               std::string authorities_pem, Random& random, const Clock& clock)
    : database(std::move(opened)),
      policies(std::move(loaded)),
      registry(*database, random, clock),
      twins(*database, registry, clock),
      commands(*database, registry, random, clock),
      authenticator(registry, policies, std::move(hosts), std::move(authorities_pem), clock) {}

}  // namespace skerry::cloud
