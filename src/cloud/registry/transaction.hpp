// A database transaction whose work ends in an Outcome: rolled back on every Fault.
#pragma once

#include "cloud/fault.hpp"
#include "storage/database.hpp"

#include <functional>
#include <optional>

namespace skerry::cloud {

[[nodiscard]] inline Outcome<> in_transaction(storage::Database& database, const std::function<Outcome<>()>& work) {
    std::optional<Fault> fault;
    const auto done = database.transaction([&]() -> Result<> {
        auto worked = work();
        if (worked) return {};
        fault = std::move(worked.error());
        return fail(Errc::conflict, "rolled back");
    });
    if (fault) return refuse(std::move(*fault));
    if (!done) return refuse(done.error());
    return {};
}

}  // namespace skerry::cloud
