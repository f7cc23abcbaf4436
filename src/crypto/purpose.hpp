// What a certificate is for.
#pragma once

#include "base/result.hpp"

#include <string_view>

namespace skerry::crypto {

// Whether the certificate (PEM) may stand for a TLS client: one without any extended key usage may. Errc::unauthorized:
// it is for servers only, or for something else: an authority that issues both must not let the one pass as the other.
[[nodiscard]] Result<> may_be_client(std::string_view pem);

}  // namespace skerry::crypto
