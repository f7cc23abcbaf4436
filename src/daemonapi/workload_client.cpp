#include "daemonapi/workload_client.hpp"

#include "base/encoding.hpp"
#include "daemonapi/call.hpp"

#include <fmt/core.h>
#include <boost/json/value.hpp>

#include <chrono>
#include <utility>

namespace skerry::daemonapi {

namespace json = boost::json;

namespace {
constexpr std::chrono::seconds limit{30};
// The oldest version: every daemon serves it.
constexpr std::string_view version = "?api-version=2018-06-28";

Result<std::string> text_member(const json::object& object, std::string_view name) {
    const auto* member = object.if_contains(name);
    if (member == nullptr || !member->is_string())
        return fail(Errc::malformed, fmt::format("the daemon's answer has no text '{}'", name));
    return std::string(std::string_view(member->get_string()));
}

Result<std::string> bytes_member(const json::object& object, std::string_view name) {
    const auto text = text_member(object, name);
    if (!text) return fail(text.error());
    auto bytes = base64_decode(*text);
    if (!bytes) return fail(Errc::malformed, fmt::format("'{}' in the daemon's answer is not base64", name));
    return std::move(*bytes);
}

// Sends `body` and takes the bytes of one member of the answer.
Task<Result<std::string>> call_for_bytes(net::HttpClient& http, codec::HttpRequest request, std::string member) {
    const auto answer = co_await call_for_object(http, std::move(request), limit);
    if (!answer) co_return fail(answer.error());
    co_return bytes_member(*answer, member);
}

Result<WorkloadCertificate> certificate_of(const json::object& answer) {
    const auto* key = answer.if_contains("privateKey");
    if (key == nullptr || !key->is_object())
        return fail(Errc::malformed, "the daemon's answer has no object 'privateKey'");
    auto key_pem = text_member(key->get_object(), "bytes");
    if (!key_pem) return fail(key_pem.error());
    auto certificate = text_member(answer, "certificate");
    if (!certificate) return fail(certificate.error());
    const auto expiration = text_member(answer, "expiration");
    if (!expiration) return fail(expiration.error());
    const auto expires = parse_rfc3339(*expiration);
    if (!expires) return fail(Errc::malformed, "'expiration' in the daemon's answer is not an RFC 3339 time");
    return WorkloadCertificate{std::move(*key_pem), std::move(*certificate), *expires};
}

Task<Result<WorkloadCertificate>> call_for_certificate(net::HttpClient& http, codec::HttpRequest request) {
    const auto answer = co_await call_for_object(http, std::move(request), limit);
    if (!answer) co_return fail(answer.error());
    co_return certificate_of(*answer);
}
}  // namespace

Result<std::unique_ptr<WorkloadClient>> WorkloadClient::create(net::Network& network, Clock& clock,
                                                               std::string_view uri, std::string module_id,
                                                               std::string generation_id) {
    auto http = client_of(network, clock, uri);
    if (!http) return fail(http.error());
    return std::unique_ptr<WorkloadClient>(
        new WorkloadClient(std::move(*http), std::move(module_id), std::move(generation_id)));
}

WorkloadClient::WorkloadClient(std::unique_ptr<net::HttpClient> http, std::string module_id, std::string generation_id)
    : http_(std::move(http)),
      base_(fmt::format("/modules/{}/genid/{}", percent_encode(module_id), percent_encode(generation_id))),
      module_(percent_encode(module_id)) {}

Task<Result<std::string>> WorkloadClient::sign(std::string data) {
    const json::object body{{"keyId", "primary"}, {"algo", "HMACSHA256"}, {"data", base64_encode(data)}};
    return call_for_bytes(*http_, request_of("POST", fmt::format("{}/sign{}", base_, version), body), "digest");
}

Task<Result<std::string>> WorkloadClient::encrypt(std::string plaintext, std::string iv) {
    const json::object body{{"plaintext", base64_encode(plaintext)}, {"initializationVector", base64_encode(iv)}};
    return call_for_bytes(*http_, request_of("POST", fmt::format("{}/encrypt{}", base_, version), body), "ciphertext");
}

Task<Result<std::string>> WorkloadClient::decrypt(std::string ciphertext, std::string iv) {
    const json::object body{{"ciphertext", base64_encode(ciphertext)}, {"initializationVector", base64_encode(iv)}};
    return call_for_bytes(*http_, request_of("POST", fmt::format("{}/decrypt{}", base_, version), body), "plaintext");
}

Task<Result<WorkloadCertificate>> WorkloadClient::server_certificate(std::string common_name, WallTime expires) {
    const json::object body{{"commonName", common_name}, {"expiration", format_rfc3339(expires)}};
    return call_for_certificate(*http_,
                                request_of("POST", fmt::format("{}/certificate/server{}", base_, version), body));
}

Task<Result<WorkloadCertificate>> WorkloadClient::identity_certificate() {
    return call_for_certificate(
        *http_,
        request_of("POST", fmt::format("/modules/{}/certificate/identity{}", module_, version), json::object{}));
}

Task<Result<std::string>> WorkloadClient::trust_bundle() {
    const auto answer =
        co_await call_for_object(*http_, request_of("GET", fmt::format("/trust-bundle{}", version)), limit);
    if (!answer) co_return fail(answer.error());
    co_return text_member(*answer, "certificate");
}

}  // namespace skerry::daemonapi
