#include "model/message.hpp"

namespace skerry::model {

std::optional<std::string_view> Message::system_property(std::string_view name) const {
    const auto found = find(system, name);
    return found ? found->value : std::nullopt;
}

}  // namespace skerry::model
