#include "cloud/rest/answer.hpp"

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
constexpr const char* json_type = "application/json; charset=utf-8";
}

Answer json_answer(const json::value& body) { return Answer{.body = json::serialize(body)}; }
Answer no_content() { return Answer{.status = 204}; }

codec::HttpResponse to_response(Answer answer) {
    codec::HttpResponse response;
    response.status = answer.status;
    for (auto& [name, value] : answer.headers) response.headers.add(std::move(name), std::move(value));
    if (!answer.body.empty()) response.headers.set("Content-Type", json_type);
    response.body = std::move(answer.body);
    return response;
}

codec::HttpResponse to_response(const Fault& fault, FaultForm form, Random& random, WallTime now) {
    const auto tracking_id = random.uuid();
    const auto time = format_rfc3339(now, 7);
    json::object body;
    if (form == FaultForm::method) {
        const json::object inner{{"errorCode", static_cast<std::uint32_t>(fault.code)},
                                 {"trackingId", tracking_id},
                                 {"message", fault.text},
                                 {"timestampUtc", time}};
        body["Message"] = json::serialize(inner);
        body["ExceptionMessage"] = "";
    } else {
        body["Message"] = fmt::format("ErrorCode:{};{}", name_of(fault.code), fault.text);
        body["ExceptionMessage"] = fmt::format("Tracking ID:{}-TimeStamp:{}", tracking_id, time);
    }
    Answer answer{.status = status_of(fault.code), .body = json::serialize(body)};
    answer.headers.emplace_back("iothub-errorcode", name_of(fault.code));
    return to_response(std::move(answer));
}

}  // namespace skerry::cloud
