// What a TLS endpoint presents and whom it trusts. OpenSSL types stay in tls.cpp.
#pragma once

#include "base/result.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace skerry::net {

// A server's side, shared by its listeners. TLS 1.2 and 1.3. A client certificate may be asked for; it is accepted
// unverified and shown in Peer: whoever authenticates decides.
class TlsServer {
public:
    struct Options {
        std::string certificate_chain_pem;  // leaf first, then what leads to the root
        std::string private_key_pem;
        bool request_client_certificate{false};
    };
    [[nodiscard]] static Result<std::shared_ptr<TlsServer>> create(const Options& options);
    ~TlsServer();

    // New connections use the new certificate, existing ones go on: no listener is reopened.
    [[nodiscard]] Result<> replace(std::string_view certificate_chain_pem, std::string_view private_key_pem);

    struct State;
    explicit TlsServer(std::unique_ptr<State> state);
    [[nodiscard]] State& state() { return *state_; }

private:
    std::unique_ptr<State> state_;
};

// A client's side. The peer's chain and host name are verified against `trusted_pem` and, if wanted, the system's
// store, which is read lazily, once, at the first connection that needs it.
class TlsClient {
public:
    struct Options {
        std::string trusted_pem;  // extra roots, PEM, may be empty
        bool trust_system_store{true};
        std::string certificate_chain_pem;  // what to present, or empty
        std::string private_key_pem;
    };
    [[nodiscard]] static Result<std::shared_ptr<TlsClient>> create(const Options& options);
    ~TlsClient();

    struct State;
    explicit TlsClient(std::unique_ptr<State> state);
    [[nodiscard]] State& state() { return *state_; }

private:
    std::unique_ptr<State> state_;
};

}  // namespace skerry::net
