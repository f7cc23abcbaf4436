// A message as conditions see it: where it comes from, and its body as UTF-8.
#include "base/encoding.hpp"
#include "route/route.hpp"
#include "route/text.hpp"

#include <algorithm>
#include <cstdint>

namespace skerry::route {

namespace {
// What a message's source is made of.
struct Origin {
    std::optional<std::string_view> type;
    std::optional<std::string_view> module;
    std::optional<std::string_view> output;
};

// In one pass: system properties are many, and every message needs this.
Origin origin_of(const model::Message& message) {
    Origin origin;
    const auto take = [](std::optional<std::string_view>& to, const model::Property& property) {
        if (!to) to = property.value.value_or(std::string_view());
    };
    for (const auto property : message.system) {
        switch (property.name.size()) {  // they are of three
            case 10:
                if (property.name == "outputName") take(origin.output, property);
                break;
            case 11:
                if (property.name == "messageType") take(origin.type, property);
                break;
            case 18:
                if (property.name == "connectionModuleId") take(origin.module, property);
                break;
            default: break;
        }
    }
    return origin;
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
}  // namespace

std::string_view MessageView::source() const {
    if (!source_.empty()) return source_;
    const auto origin = origin_of(*message_);
    if (origin.type == "twinChangeNotification") return source_ = "/twinChangeNotifications/";
    if (!origin.module || origin.module->empty()) return source_ = "/messages/";
    const auto output = origin.output.value_or(std::string_view());
    const std::array<std::string_view, 5> parts{"/messages/modules/", *origin.module,
                                                output.empty() ? "/" : "/outputs/", output, output.empty() ? "" : "/"};
    std::size_t size = 0;
    for (const auto part : parts) size += part.size();
    char* at = short_source_.data();
    if (size > short_source_.size()) {
        long_source_.resize(size);
        at = long_source_.data();
    }
    source_ = {at, size};
    for (const auto part : parts) at = std::ranges::copy(part, at).out;
    return source_;
}

const Value& MessageView::in_body(const std::shared_ptr<const BodyPaths>& paths, BodyPaths::Place place) const {
    if (!body_.is_read_for(*paths)) read_body(paths);
    return body_.at(place);
}

// Malformed characters are replaced, as the existing hub's decoders do.
void MessageView::read_body(const std::shared_ptr<const BodyPaths>& paths) const {
    const std::string_view body = message_->body;
    switch (encoding_of(*message_)) {
        case Encoding::utf8:
            if (is_utf8(body)) return body_.read(body, paths);
            converted_ = to_utf8(to_utf16(body));
            break;
        case Encoding::utf16: converted_ = from_utf16(body); break;
        case Encoding::utf32: converted_ = from_utf32(body); break;
        case Encoding::none: return body_.set_unreadable(paths);
    }
    body_.read(converted_, paths);
}

}  // namespace skerry::route
