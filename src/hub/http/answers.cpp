#include "hub/http/answers.hpp"

#include "hub/http/method_call.hpp"

#include <fmt/format.h>

namespace skerry::hub::http {

codec::HttpResponse answer(unsigned status, std::string json) {
    codec::HttpResponse response;
    response.status = status;
    if (!json.empty()) response.headers.set("Content-Type", "application/json; charset=utf-8");
    response.body = std::move(json);
    return response;
}

codec::HttpResponse refuse(unsigned status, std::string_view why, std::string_view member) {
    return answer(status, fmt::format(R"({{"{}":{}}})", member, json_text(std::string(why))));
}

codec::HttpResponse wrong_method(std::string_view offered) {
    auto refused = refuse(405, fmt::format("here only {} is offered", offered));
    refused.headers.set("Allow", std::string(offered));
    return refused;
}

}  // namespace skerry::hub::http
