// Any request target is a log query, or a refusal, and any text a time, or none; never a crash.
#include "daemon/log_query.hpp"

#include "daemon/check/subject.hpp"
#include "daemon/support_bundle.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    skerry::codec::HttpRequest request;
    request.target.assign(reinterpret_cast<const char*>(data), size);
    static_cast<void>(skerry::daemon::parse_log_query(request, skerry::WallTime(std::chrono::seconds(1'700'000'000))));
    static_cast<void>(skerry::daemon::parse_log_time(request.target, skerry::WallTime{}));
    static_cast<void>(skerry::daemon::parse_bundle_query(request, skerry::WallTime{}));
    static_cast<void>(skerry::daemon::parse_http_date(request.target));
    return 0;
}
