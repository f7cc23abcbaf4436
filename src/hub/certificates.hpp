// What the daemon gives the hub: its server certificate, the trust bundle, signatures, and encryption of its key.
//
// Promises: waits for a daemon that is not there yet. The certificate is replaced before it expires, without cutting a
//           connection. One call to the daemon at a time.
// Threads:  the loop's.
#pragma once

#include "base/backoff.hpp"
#include "daemonapi/workload_client.hpp"
#include "hub/state_store.hpp"
#include "hub/turn.hpp"
#include "iothub/credentials.hpp"
#include "net/tls.hpp"

#include <memory>
#include <string>

namespace skerry::hub {

class Certificates {
public:
    Certificates(std::unique_ptr<daemonapi::WorkloadClient> workload, Clock& clock, Random& random, Executor executor,
                 std::string edge_host);

    // Waits for the daemon as long as it takes. Errors: it refuses.
    [[nodiscard]] Task<Result<std::shared_ptr<net::TlsServer>>> make_server(bool ask_for_client_certificate);
    [[nodiscard]] Task<Result<std::string>> trust_bundle();
    // Replaces the server's certificate in time, for ever.
    [[nodiscard]] Task<> keep_fresh(std::shared_ptr<net::TlsServer> server);

    [[nodiscard]] iothub::Signer signer();
    [[nodiscard]] KeyWrapper key_wrapper();

private:
    [[nodiscard]] Task<Result<daemonapi::WorkloadCertificate>> request();
    [[nodiscard]] Task<Result<std::string>> sign(std::string text);
    [[nodiscard]] Task<Result<std::string>> wrap(std::string plaintext, std::string iv);
    [[nodiscard]] Task<Result<std::string>> unwrap(std::string ciphertext, std::string iv);

    std::unique_ptr<daemonapi::WorkloadClient> workload_;
    Clock& clock_;
    Random& random_;
    std::string edge_host_;
    Turn turn_;
    WallTime obtained_{};
    WallTime expires_{};
};

// When to replace a certificate: after four fifths of its life, at the latest five minutes before its end.
[[nodiscard]] WallTime renewal_time(WallTime obtained, WallTime expires);

}  // namespace skerry::hub
