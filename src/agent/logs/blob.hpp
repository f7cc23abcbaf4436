// A blob in Azure storage (or Azurite), written in pieces through a SAS URL of its container.
//
// Promises: a piece is written once, also when an answer was lost (append blobs: at its position). A call is tried
//           three times, 5 to 20 s apart, when it makes sense to. The SAS never shows in an error or a log.
// Bounds:   4 MiB per piece; 60 s per call.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "net/http.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::agent {

struct BlobPlace {
    bool tls{true};
    std::string host;
    std::uint16_t port{443};
    std::string path;   // of the container, as on the wire
    std::string query;  // the SAS, without '?'
};

// https:// anywhere, http:// to this machine only. The host "$upstream" stands for `parent`, the device above this one.
// Errors never repeat the query.
[[nodiscard]] Result<BlobPlace> parse_sas_url(std::string_view url, std::string_view parent);

inline constexpr std::size_t largest_piece = 4 * 1024 * 1024;

struct BlobKind {
    bool append{false};  // text grows as it is sent; anything else appears when it is whole
    std::string content_type;
    std::string content_encoding;  // may be empty
};

class Blob {
public:
    struct Parts {
        net::Network& network;
        Clock& clock;
        Random& random;
        std::shared_ptr<net::TlsClient> tls;
    };
    Blob(Parts parts, const BlobPlace& place, std::string_view name, BlobKind kind);

    // Pieces of largest_piece at most. Errors: unauthorized, not_found, unreachable, timeout, malformed.
    [[nodiscard]] Task<Result<>> write(std::string piece);
    // `rest` is the last piece, and may be empty. A block blob of a single piece takes a single call.
    [[nodiscard]] Task<Result<>> finish(std::string rest);

private:
    struct Call {
        std::string query;
        bool whole_blob{false};  // creates or replaces it: with the kind's headers
        std::vector<std::pair<std::string, std::string>> headers;
        std::string body;
        bool conflict_means_done{false};  // when it is tried again
    };
    [[nodiscard]] Task<Result<>> put(Call call);
    [[nodiscard]] Task<Result<>> append(std::string piece);
    [[nodiscard]] codec::HttpRequest request_of(const Call& call) const;

    Parts parts_;
    std::string target_;
    std::string sas_;
    std::string host_;
    BlobKind kind_;
    net::HttpClient http_;
    bool created_{false};
    std::size_t appended_{0};
    std::vector<std::string> blocks_;
};

}  // namespace skerry::agent
