// The workload API as a module sees it: sign, encrypt, certificates, trust bundle (agent-and-daemon.md 5.4).
#pragma once

#include "base/clock.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "daemonapi/environment.hpp"
#include "net/http.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace skerry::daemonapi {

struct WorkloadCertificate {
    std::string private_key_pem;
    std::string certificate_pem;  // leaf and chain
    WallTime expires;
};

class WorkloadClient {
public:
    // `uri` is unix:///path or http://host:port. `module_id` as in the identity ("$edgeHub").
    [[nodiscard]] static Result<std::unique_ptr<WorkloadClient>> create(net::Network& network, Clock& clock,
                                                                        std::string_view uri, std::string module_id,
                                                                        std::string generation_id);

    [[nodiscard]] Task<Result<std::string>> sign(std::string data);  // HMAC-SHA256, bytes in, bytes out
    [[nodiscard]] Task<Result<std::string>> encrypt(std::string plaintext, std::string iv);
    [[nodiscard]] Task<Result<std::string>> decrypt(std::string ciphertext, std::string iv);
    [[nodiscard]] Task<Result<WorkloadCertificate>> server_certificate(std::string common_name, WallTime expires);
    [[nodiscard]] Task<Result<WorkloadCertificate>> identity_certificate();
    [[nodiscard]] Task<Result<std::string>> trust_bundle();  // PEM

private:
    WorkloadClient(std::unique_ptr<net::HttpClient> http, std::string module_id, std::string generation_id);
    std::unique_ptr<net::HttpClient> http_;
    std::string base_;  // "/modules/<m>/genid/<g>"
    std::string module_;
};

}  // namespace skerry::daemonapi
