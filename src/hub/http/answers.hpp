// Answers of the HTTP head, as the existing hub writes them.
#pragma once

#include "codec/http.hpp"

#include <string>
#include <string_view>

namespace skerry::hub::http {

[[nodiscard]] codec::HttpResponse answer(unsigned status, std::string json);
// {"<member>":"<why>"}: each family of calls has its own name for it (edge-hub.md 3.2 to 3.4).
[[nodiscard]] codec::HttpResponse refuse(unsigned status, std::string_view why, std::string_view member = "message");
// 405, naming what is offered.
[[nodiscard]] codec::HttpResponse wrong_method(std::string_view offered);

}  // namespace skerry::hub::http
