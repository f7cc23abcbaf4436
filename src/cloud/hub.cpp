#include "cloud/hub.hpp"

namespace skerry::cloud {

Task<Outcome<Registration>> Hub::put(model::Identity identity, RegistrationChange change, IfMatch if_match) {
    auto put = co_await ask([&](Stores& stores) { return stores.registry.put(identity, change, if_match); });
    if (put && !put->enabled) connections_.drop_device(identity.device_id(), "the device was disabled");
    co_return put;
}

Task<Outcome<>> Hub::remove(model::Identity identity, IfMatch if_match) {
    auto removed = co_await ask([&](Stores& stores) { return stores.registry.remove(identity, if_match); });
    if (removed && !identity.is_module())
        if (auto purged = co_await ask([&](Stores& stores) { return stores.commands.purge(identity); }); !purged)
            co_return refuse(purged.error());
    if (removed) connections_.forget(identity);
    co_return removed;
}

Task<Outcome<Twin>> Hub::change_twin(model::Identity identity, TwinChange change, ChangeKind kind, IfMatch if_match) {
    auto changed = co_await ask([&](Stores& stores) { return stores.twins.change(identity, change, kind, if_match); });
    if (!changed) co_return refuse(changed.error());
    if (changed->update) connections_.push(*changed->update);
    co_return std::move(changed->twin);
}

Task<Outcome<>> Hub::apply_content(std::string device_id, boost::json::object content) {
    const auto updates = co_await ask([&](Stores& stores) { return stores.twins.apply_content(device_id, content); });
    if (!updates) co_return refuse(updates.error());
    for (const auto& update : *updates) connections_.push(update);
    co_return Outcome<>{};
}

Task<Outcome<MethodAnswer>> Hub::invoke(model::Identity identity, MethodCall call) {
    const auto known = co_await ask([&](Stores& stores) { return stores.registry.find(identity); });
    if (!known) co_return refuse(known.error());
    co_return co_await connections_.invoke(std::move(identity), std::move(call));
}

}  // namespace skerry::cloud
