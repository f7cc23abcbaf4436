#include "iothub/credentials.hpp"

#include "base/encoding.hpp"
#include "crypto/crypto.hpp"
#include "iothub/sas.hpp"

#include <fmt/core.h>

#include <chrono>
#include <utility>

namespace skerry::iothub {

namespace {
Task<Result<std::string>> sign_with_key(std::string key, std::string text) { co_return crypto::hmac_sha256(key, text); }
}  // namespace

Signer key_signer(std::string key) {
    return [key = std::move(key)](std::string text) { return sign_with_key(key, std::move(text)); };
}

Credentials::Credentials(std::string hub_host, model::Identity signing_identity, Signer signer, Clock& clock,
                         Duration lifetime)
    : host_(std::move(hub_host)),
      identity_(std::move(signing_identity)),
      signer_(std::move(signer)),
      clock_(clock),
      lifetime_(lifetime) {}

Credentials::Credentials(std::string hub_host, model::Identity signing_identity, std::string token, WallTime expires,
                         Clock& clock)
    : host_(std::move(hub_host)),
      identity_(std::move(signing_identity)),
      clock_(clock),
      lifetime_(0),
      token_(std::move(token)),
      signed_wall_(clock.wall()),
      signed_(clock.steady()) {
    // Tokens may be written to end in the far future, which no steady clock reaches.
    constexpr Duration longest = std::chrono::hours(24 * 365);
    const auto left = expires > signed_wall_ + longest ? longest : Duration(expires - signed_wall_);
    expires_ = signed_ + left;
}

Result<std::string> Credentials::given_token() const {
    if (!token_.empty() && clock_.steady() < expires_) return token_;
    return fail(Errc::unauthorized, fmt::format("the token of {} has {}: it must connect with a new one",
                                                identity_.id(), token_.empty() ? "been refused" : "expired"));
}

bool Credentials::is_fresh() const {
    if (token_.empty()) return false;
    const auto age = clock_.steady() - signed_;
    const auto jump = std::chrono::abs((clock_.wall() - signed_wall_) - age);
    return age < lifetime_ / 2 && jump < lifetime_ / 4;
}

Task<Result<std::string>> Credentials::token() {
    if (!signer_) co_return given_token();
    if (is_fresh()) co_return token_;
    const auto resource = percent_encode(resource_of(host_, identity_));
    const auto wall = clock_.wall();
    const auto steady = clock_.steady();
    const auto expiry = unix_seconds(wall + std::chrono::duration_cast<WallTime::duration>(lifetime_));
    const auto signature = co_await signer_(sas_text_to_sign(resource, expiry));
    if (!signature) co_return fail(signature.error().while_doing("signing a token for " + identity_.id()));
    token_ = format_sas(resource, *signature, expiry);
    signed_wall_ = wall;
    signed_ = steady;
    expires_ = steady + lifetime_;
    co_return token_;
}

}  // namespace skerry::iothub
