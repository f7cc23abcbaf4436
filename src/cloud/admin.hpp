// The admin API: HTTP over <data>/admin.sock, which only its owner can open. The whole REST surface without tokens, and
//   GET /admin/info                                   what `skerry cloud info` prints
//   GET /admin/events?from=start|end&follow=1&device=D  events as JSON lines; blank lines keep a quiet stream alive
//
// Threads: the loop's.
#pragma once

#include "cloud/hub.hpp"
#include "cloud/rest/rest.hpp"

#include <filesystem>
#include <string>

namespace skerry::cloud {

class Admin {
public:
    Admin(Hub& hub, Rest& rest, Clock& clock, std::filesystem::path ca_certificate)
        : hub_(hub), rest_(rest), clock_(clock), ca_certificate_(std::move(ca_certificate)) {}

    [[nodiscard]] Task<codec::HttpResponse> handle(codec::HttpRequest request);

private:
    [[nodiscard]] codec::HttpResponse info() const;
    [[nodiscard]] codec::HttpResponse events(const codec::HttpRequest& request);

    Hub& hub_;
    Rest& rest_;
    Clock& clock_;
    std::filesystem::path ca_certificate_;
};

}  // namespace skerry::cloud
