// Bodies from anybody: one is readable exactly when the library's parser takes it for an object, whatever is asked for.
#include "route/body_values.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <cstdlib>
#include <memory>

namespace {
bool is_object(std::string_view text) {
    boost::json::parse_options options;
    options.allow_comments = true;
    options.allow_trailing_commas = true;
    options.allow_invalid_utf8 = true;
    options.max_depth = skerry::route::deepest_body;
    boost::json::error_code error;
    const auto value = boost::json::parse(boost::json::string_view(text.data(), text.size()), error, {}, options);
    return !error && value.is_object();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace skerry::route;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto paths = std::make_shared<BodyPaths>();
    for (const auto* const path : {"a", "a.b", "a[0]", "a[1].b", "b.a.b", "b[0].a[0]"})
        paths->add(parse_body_path(path).value());
    const auto nowhere = paths->add({{"a name that no body has", std::nullopt}});
    BodyValues values;
    values.read(text, paths);
    const auto expected = is_object(text) ? Value::Kind::missing : Value::Kind::undefined;
    if (values.at(nowhere).kind != expected) std::abort();
    std::size_t bytes = 0;
    for (BodyPaths::Place place = 0; place < paths->size(); ++place)
        for (const char c : values.at(place).text) bytes += static_cast<unsigned char>(c);  // all of it is there
    return bytes == SIZE_MAX ? 1 : 0;
}
