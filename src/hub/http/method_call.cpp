#include "hub/http/method_call.hpp"

#include "base/encoding.hpp"
#include "model/twin.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace skerry::hub::http {

namespace json = boost::json;

namespace {

constexpr std::size_t longest_name = 100;
constexpr std::size_t largest_payload = 128 * 1024;
constexpr std::string_view blanks = " \t\r\n";

// Walks over text that a parser has found to be JSON.
class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    [[nodiscard]] bool at(char c) const { return at_ < text_.size() && text_[at_] == c; }
    [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
    void skip(std::size_t count = 1) { at_ += count; }
    void skip_blanks() { at_ = std::min(text_.find_first_not_of(blanks, at_), text_.size()); }

    // A string with its quotes.
    std::string_view string() {
        const auto start = at_++;
        while (!at_end() && !at('"')) skip(at('\\') ? 2 : 1);
        skip();
        return since(start);
    }

    std::string_view value() {
        const auto start = at_;
        if (at('"')) return string();
        std::size_t depth = 0;
        while (!at_end()) {
            if (at('"')) {
                (void)string();
                continue;
            }
            const bool closes = at('}') || at(']');
            if (depth == 0 && (closes || at(',') || blanks.contains(text_[at_]))) break;
            if (at('{') || at('[')) ++depth;
            if (closes) --depth;
            skip();
            if (closes && depth == 0) break;
        }
        return since(start);
    }

private:
    [[nodiscard]] std::string_view since(std::size_t start) {
        at_ = std::min(at_, text_.size());
        return text_.substr(start, at_ - start);
    }
    std::string_view text_;
    std::size_t at_{0};
};

bool is_name(std::string_view quoted, std::string_view name) {
    if (!quoted.contains('\\')) return quoted.size() == name.size() + 2 && quoted.substr(1, name.size()) == name;
    json::error_code error;
    const auto decoded = json::parse(quoted, error);
    return !error && decoded.is_string() && decoded.get_string() == name;
}

// Counts what a reader would: the bytes that follow another one in UTF-8 are none.
std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

Result<> read_seconds(const json::object& body, std::string_view member, int smallest, Duration& out) {
    const auto* const value = body.if_contains(member);
    if (!value || value->is_null()) return {};
    json::error_code error;
    const auto seconds = value->is_number() ? value->to_number<int>(error) : -1;
    if (error || seconds < smallest || seconds > 300)
        return fail(Errc::malformed, fmt::format("{} must be a whole number from {} to 300", member, smallest));
    out = std::chrono::seconds(seconds);
    return {};
}

}  // namespace

std::string json_text(std::string text) {
    if (!is_utf8(text)) std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) > 0x7f; }, '?');
    return json::serialize(json::string(text));
}

std::optional<std::string_view> raw_member(std::string_view object, std::string_view name) {
    std::optional<std::string_view> found;
    Scanner scanner(object);
    scanner.skip_blanks();
    scanner.skip();  // '{'
    for (scanner.skip_blanks(); scanner.at('"'); scanner.skip_blanks()) {
        const bool wanted = is_name(scanner.string(), name);
        scanner.skip_blanks();
        scanner.skip();  // ':'
        scanner.skip_blanks();
        const auto value = scanner.value();
        if (wanted) found = value;
        scanner.skip_blanks();
        if (!scanner.at(',')) break;
        scanner.skip();
    }
    return found;
}

Result<MethodCall> parse_method_call(std::string_view body) {
    const auto object = model::parse_object(body);
    if (!object) return fail(Errc::malformed, "The request's body must be a JSON object: " + object.error().text);

    const auto* const name = object->if_contains("methodName");
    if (!name || !name->is_string() || name->get_string().empty())
        return fail(Errc::malformed, "The body must have a methodName");
    MethodCall call{.name = std::string(name->get_string()), .payload = "null"};
    if (characters(call.name) > longest_name)
        return fail(Errc::malformed,
                    fmt::format("methodName has more than {} characters, which is the limit", longest_name));
    if (auto read = read_seconds(*object, "connectTimeoutInSeconds", 0, call.connect); !read) return fail(read.error());
    if (auto read = read_seconds(*object, "responseTimeoutInSeconds", 5, call.response); !read)
        return fail(read.error());

    if (const auto payload = raw_member(body, "payload")) call.payload = *payload;
    if (call.payload.size() > largest_payload)
        return fail(Errc::malformed,
                    fmt::format("The payload has {} bytes; the limit is {}", call.payload.size(), largest_payload));
    return call;
}

std::string method_answer_text(int status, std::string_view payload) {
    json::error_code error;
    json::parse_options options;
    options.max_depth = 64;
    if (payload.empty()) payload = "null";
    (void)json::parse(payload, error, {}, options);
    return fmt::format(R"({{"status":{},"payload":{}}})", status,
                       error ? json_text(std::string(payload)) : std::string(payload));
}

}  // namespace skerry::hub::http
