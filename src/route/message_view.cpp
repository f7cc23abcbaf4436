// A message as conditions see it: where it comes from, and its body as JSON.
#include "base/encoding.hpp"
#include "route/route.hpp"
#include "route/text.hpp"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <array>
#include <cstdint>

namespace skerry::route {

namespace json = boost::json;

namespace {
std::string source_of(const model::Message& message) {
    if (message.system_property("messageType") == "twinChangeNotification") return "/twinChangeNotifications/";
    const auto module = message.system_property("connectionModuleId").value_or(std::string_view());
    std::string source = "/messages/";
    if (module.empty()) return source;
    const auto output = message.system_property("outputName").value_or(std::string_view());
    source.reserve(source.size() + module.size() + output.size() + 20);
    source.append("modules/").append(module).append("/");
    if (!output.empty()) source.append("outputs/").append(output).append("/");
    return source;
}

std::string_view property(const model::Message& message, std::string_view name) {
    const auto found = model::find_ignoring_case(message.system, name);
    return found ? found->value.value_or(std::string_view()) : std::string_view();
}

void append(std::u16string& out, std::uint32_t code) {
    const bool is_character = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
    if (!is_character) code = 0xfffd;
    if (code >= 0x10000) {
        out.push_back(static_cast<char16_t>(0xd7c0 + (code >> 10)));
        code = 0xdc00 + (code & 0x3ff);
    }
    out.push_back(static_cast<char16_t>(code));
}

std::string from_utf16(std::string_view bytes) {
    std::u16string units;
    for (std::size_t at = 0; at + 2 <= bytes.size(); at += 2) {
        const auto unit = get_le<std::uint16_t>(bytes, at);
        const auto following = at + 4 <= bytes.size() ? get_le<std::uint16_t>(bytes, at + 2) : std::uint16_t{0};
        const bool pair = unit >= 0xd800 && unit < 0xdc00 && following >= 0xdc00 && following < 0xe000;
        append(units, pair ? 0x10000U + ((unit - 0xd800U) << 10) + (following - 0xdc00U) : unit);
        if (pair) at += 2;
    }
    return to_utf8(units);
}

std::string from_utf32(std::string_view bytes) {
    std::u16string units;
    for (std::size_t at = 0; at + 4 <= bytes.size(); at += 4) append(units, get_le<std::uint32_t>(bytes, at));
    return to_utf8(units);
}

enum class Encoding { none, utf8, utf16, utf32 };

// How conditions may read the body, if at all.
Encoding encoding_of(const model::Message& message) {
    if (!equals_ignoring_case(property(message, "contentType"), "application/json")) return Encoding::none;
    const auto encoding = property(message, "contentEncoding");
    if (equals_ignoring_case(encoding, "utf-8")) return Encoding::utf8;
    if (equals_ignoring_case(encoding, "utf-16")) return Encoding::utf16;
    if (equals_ignoring_case(encoding, "utf-32")) return Encoding::utf32;
    return Encoding::none;
}

// `text` is UTF-8.
std::optional<json::value> parse_body(std::string_view text, json::storage_ptr storage) {
    json::parse_options options;
    options.allow_comments = true;
    options.allow_trailing_commas = true;
    options.max_depth = 64;
    options.allow_invalid_utf8 = true;  // it was checked
    json::error_code error;
    auto value = json::parse(json::string_view(text.data(), text.size()), error, std::move(storage), options);
    if (error || !value.is_object()) return std::nullopt;
    return value;
}

// Malformed characters are replaced, as the existing hub's decoders do.
std::optional<json::value> read_body(const model::Message& message, const json::storage_ptr& storage) {
    switch (encoding_of(message)) {
        case Encoding::utf8:
            return is_utf8(message.body) ? parse_body(message.body, storage)
                                         : parse_body(to_utf8(to_utf16(message.body)), storage);
        case Encoding::utf16: return parse_body(from_utf16(message.body), storage);
        case Encoding::utf32: return parse_body(from_utf32(message.body), storage);
        case Encoding::none: break;
    }
    return std::nullopt;
}
}  // namespace

// A body of usual size is read without an allocation for each of its values.
struct MessageView::Body {
    explicit Body(const model::Message& message)
        : storage(room.data(), room.size()), value(read_body(message, &storage)) {}

    std::array<unsigned char, 16 * 1024> room;  // not set to anything
    json::monotonic_resource storage;
    std::optional<json::value> value;
};

MessageView::MessageView(const model::Message& message) : message_(&message), source_(source_of(message)) {}
MessageView::~MessageView() = default;
MessageView::MessageView(MessageView&&) noexcept = default;
MessageView& MessageView::operator=(MessageView&&) noexcept = default;

const json::object* MessageView::body() const {
    if (!body_) body_ = std::make_unique<Body>(*message_);
    return body_->value ? body_->value->if_object() : nullptr;
}

}  // namespace skerry::route
