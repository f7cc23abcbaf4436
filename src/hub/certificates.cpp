#include "hub/certificates.hpp"

#include "base/log.hpp"

#include <algorithm>

namespace skerry::hub {

using namespace std::chrono_literals;

namespace {
bool may_come_back(const Error& error) { return error.code == Errc::unreachable || error.code == Errc::timeout; }
}  // namespace

WallTime renewal_time(WallTime obtained, WallTime expires) {
    const auto life = std::max(expires - obtained, WallTime::duration::zero());
    return std::min(obtained + life / 5 * 4, expires - 5min);
}

Certificates::Certificates(std::unique_ptr<daemonapi::WorkloadClient> workload, Clock& clock, Random& random,
                           Executor executor, std::string edge_host)
    : workload_(std::move(workload)),
      clock_(clock),
      random_(random),
      edge_host_(std::move(edge_host)),
      turn_(std::move(executor)) {}

Task<Result<daemonapi::WorkloadCertificate>> Certificates::request() {
    const auto turn = co_await turn_.take();
    auto certificate = co_await workload_->server_certificate(edge_host_, clock_.wall() + std::chrono::days(90));
    if (!certificate) co_return fail(certificate.error().while_doing("getting the server certificate from the daemon"));
    obtained_ = clock_.wall();
    expires_ = certificate->expires;
    co_return certificate;
}

Task<Result<std::shared_ptr<net::TlsServer>>> Certificates::make_server(bool ask_for_client_certificate) {
    Backoff backoff(random_, 50ms, 5s);
    auto certificate = co_await request();
    bool told = false;
    while (!certificate && may_come_back(certificate.error())) {
        if (!std::exchange(told, true)) log::warn("Waiting for the daemon: {}", certificate.error().text);
        co_await clock_.sleep(backoff.next());
        certificate = co_await request();
    }
    if (!certificate) co_return fail(certificate.error());
    co_return net::TlsServer::create({.certificate_chain_pem = certificate->certificate_pem,
                                      .private_key_pem = certificate->private_key_pem,
                                      .request_client_certificate = ask_for_client_certificate});
}

Task<Result<std::string>> Certificates::trust_bundle() {
    const auto turn = co_await turn_.take();
    auto bundle = co_await workload_->trust_bundle();
    if (!bundle) co_return fail(bundle.error().while_doing("getting the trust bundle from the daemon"));
    co_return bundle;
}

Task<> Certificates::keep_fresh(std::shared_ptr<net::TlsServer> server) {
    Backoff backoff(random_, 10s, 5min);
    for (;;) {
        // In steps: the wall clock may be set while we sleep.
        while (clock_.wall() < renewal_time(obtained_, expires_)) co_await clock_.sleep(1min);
        auto certificate = co_await request();
        const auto replaced = certificate ? server->replace(certificate->certificate_pem, certificate->private_key_pem)
                                          : Result<>(fail(certificate.error()));
        if (replaced) {
            log::info("The server certificate was renewed; it expires at {}", format_rfc3339(expires_, 0));
            backoff.reset();
            // A certificate that is born old must not be asked for in a tight loop.
            co_await clock_.sleep(1min);
        } else {
            log::error("The server certificate could not be renewed: {}", replaced.error().text);
            co_await clock_.sleep(backoff.next());
        }
    }
}

Task<Result<std::string>> Certificates::sign(std::string text) {
    const auto turn = co_await turn_.take();
    co_return co_await workload_->sign(std::move(text));
}

Task<Result<std::string>> Certificates::wrap(std::string plaintext, std::string iv) {
    const auto turn = co_await turn_.take();
    co_return co_await workload_->encrypt(std::move(plaintext), std::move(iv));
}

Task<Result<std::string>> Certificates::unwrap(std::string ciphertext, std::string iv) {
    const auto turn = co_await turn_.take();
    co_return co_await workload_->decrypt(std::move(ciphertext), std::move(iv));
}

iothub::Signer Certificates::signer() {
    return [this](std::string text) { return sign(std::move(text)); };
}

KeyWrapper Certificates::key_wrapper() {
    return {.wrap = [this](std::string plaintext, std::string iv) { return wrap(std::move(plaintext), std::move(iv)); },
            .unwrap = [this](std::string ciphertext,
                             std::string iv) { return unwrap(std::move(ciphertext), std::move(iv)); }};
}

}  // namespace skerry::hub
