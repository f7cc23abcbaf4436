// Routes and conditions from a twin, over a message from anybody: what compiles can be evaluated, and gives the same
// twice.
#include "route/route.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    static_cast<void>(route::compile(text));

    const auto cut = text.find('\0');
    const auto condition = route::Condition::compile(text.substr(0, cut));
    if (!condition) return 0;
    model::Message message;
    message.body =
        cut == std::string_view::npos ? R"({"a":{"b":[1,"x",true,null]}})" : std::string(text.substr(cut + 1));
    message.properties = {{"a", "1"}, {"b", std::nullopt}, {"$c", "x"}, {"d", std::string(text.substr(0, 8))}};
    message.system = {{"contentType", "application/json"}, {"contentEncoding", size % 2 == 0 ? "utf-8" : "utf-16"}};
    const route::MessageView view(message);
    if (condition->evaluate(view) != condition->evaluate(view)) std::abort();
    return 0;
}
