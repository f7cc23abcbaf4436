#include "cli/routes/lines.hpp"

#include "cli/routes/message.hpp"
#include "route/route.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

namespace skerry::cli {

namespace json = boost::json;

namespace {
Result<route::Truth> evaluate(std::string_view text) {
    json::error_code error;
    const auto line = json::parse(json::string_view(text.data(), text.size()), error);
    if (error) return fail(Errc::malformed, "the line is not JSON: " + error.message());
    if (!line.is_object()) return fail(Errc::malformed, "the line must be a JSON object");
    const auto* const condition = line.get_object().if_contains("condition");
    if (condition == nullptr || !condition->is_string())
        return fail(Errc::malformed, "condition must be there, and a string");
    const auto compiled = route::Condition::compile(std::string_view(condition->get_string()));
    if (!compiled) return std::unexpected(compiled.error());
    const auto* const wanted = line.get_object().if_contains("message");
    const auto message = wanted != nullptr ? read_message(*wanted) : Result<model::Message>(model::Message());
    if (!message) return std::unexpected(message.error());
    return compiled->evaluate(route::MessageView(*message));
}
}  // namespace

std::string evaluate_line(std::string_view line) {
    const auto truth = evaluate(line);
    if (truth) return json::serialize(json::object{{"result", json::string_view(route::name_of(*truth))}});
    return json::serialize(json::object{{"error", truth.error().text}});
}

}  // namespace skerry::cli
