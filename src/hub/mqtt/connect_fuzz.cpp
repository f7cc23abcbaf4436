// Whatever bytes come first on a connection: a claim or a refusal, never more.
#include "hub/mqtt/connect.hpp"
#include "hub/mqtt/subscriptions.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    skerry::codec::mqtt::Decoder decoder;
    decoder.feed(text);
    if (const auto packet = decoder.next(); packet && *packet)
        if (const auto* const connect = std::get_if<skerry::codec::mqtt::Connect>(&**packet)) {
            const auto claim = skerry::hub::mqtt::read_claim(*connect, {});
            if (claim && claim->identity.id() != connect->client_id) std::abort();
        }
    const auto subscriptions = skerry::hub::mqtt::Subscriptions::from_text(text);
    if (skerry::hub::mqtt::Subscriptions::from_text(subscriptions.to_text()).to_text() != subscriptions.to_text())
        std::abort();
    return 0;
}
