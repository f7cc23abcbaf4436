// What a REST call is answered with, and IoT Hub's forms of errors (iot-hub-wire.md 2.5).
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "cloud/fault.hpp"
#include "codec/http.hpp"

#include <boost/json/fwd.hpp>

#include <string>
#include <utility>
#include <vector>

namespace skerry::cloud {

struct Answer {
    unsigned status{200};
    std::string body{};  // JSON text, or empty
    std::vector<std::pair<std::string, std::string>> headers{};
};

[[nodiscard]] Answer json_answer(const boost::json::value& body);
[[nodiscard]] Answer no_content();

[[nodiscard]] codec::HttpResponse to_response(Answer answer);

// The registry's form, and the one of direct methods, whose Message is itself JSON.
enum class FaultForm { registry, method };
[[nodiscard]] codec::HttpResponse to_response(const Fault& fault, FaultForm form, Random& random, WallTime now);

}  // namespace skerry::cloud
