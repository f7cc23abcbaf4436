// createOptions: container settings in pieces of text, as twins carry them (agent-and-daemon.md 1.3).
#include "base/encoding.hpp"
#include "model/fields.hpp"
#include "model/manifest.hpp"
#include "model/twin.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace skerry::model {

namespace json = boost::json;

namespace {
constexpr std::string_view head = "createOptions";
constexpr std::size_t most_pieces = 100;
constexpr std::size_t piece_bytes = 512;

// The number of a piece: 0 for "createOptions", 1 for "createOptions01"; nullopt for other members.
std::optional<std::size_t> piece_number(std::string_view key) {
    if (key.size() < head.size() || !equals_ignoring_case(key.substr(0, head.size()), head)) return std::nullopt;
    const auto digits = key.substr(head.size());
    if (digits.empty()) return 0;
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size() || number == 0) return std::nullopt;
    return number;
}

using Pieces = std::array<const json::value*, most_pieces>;

Result<std::size_t> collect(const json::object& settings, Pieces& pieces) {
    std::size_t count = 0;
    for (const auto& [key, value] : settings) {
        const auto number = piece_number(key);
        if (!number || value.is_null()) continue;
        if (*number >= most_pieces)
            return fail(Errc::malformed, fmt::format("{}: more than {} pieces", std::string_view(key), most_pieces));
        if (pieces[*number] != nullptr)
            return fail(Errc::malformed, fmt::format("{}: this piece is there twice", std::string_view(key)));
        pieces[*number] = &value;
        ++count;
    }
    for (std::size_t i = 0; i < count; ++i)
        if (pieces[i] == nullptr)
            return fail(Errc::malformed,
                        fmt::format("createOptions: piece {:02} is missing, but later ones are there", i));
    return count;
}

// What an engine would refuse to read is refused before anything is stopped for it.
Result<> check_shape(const json::object& options) {
    for (const auto name : {"HostConfig", "NetworkingConfig", "Labels", "ExposedPorts"}) {
        const auto* value = options.if_contains(name);
        if (value != nullptr && !value->is_null() && !value->is_object())
            return fail(Errc::malformed, fmt::format("createOptions.{}: must be an object", name));
    }
    const auto* env = options.if_contains("Env");
    if (env == nullptr || env->is_null()) return {};
    const auto is_text = [](const json::value& value) { return value.is_string(); };
    if (!env->is_array() || !std::ranges::all_of(env->get_array(), is_text))
        return fail(Errc::malformed, "createOptions.Env: must be an array of \"NAME=value\" texts");
    return {};
}

// Members of these are the user's own names: each one counts, whatever its value.
bool is_map(std::string_view name) {
    constexpr std::array maps{"Labels",     "ExposedPorts",    "Volumes",     "PortBindings", "Tmpfs", "Sysctls",
                              "StorageOpt", "EndpointsConfig", "Annotations", "DriverOpts",   "Config"};
    return std::ranges::find(maps, name) != maps.end();
}

// Where 0 and false differ from absent.
bool has_own_default(std::string_view name) {
    constexpr std::array names{"MemorySwappiness", "OomKillDisable", "PidsLimit", "Init", "StopTimeout"};
    return std::ranges::find(names, name) != names.end();
}

bool is_default(const json::value& value) {
    return (value.is_bool() && !value.get_bool()) || (value.is_int64() && value.get_int64() == 0) ||
           (value.is_double() && value.get_double() == 0);
}

json::object without_defaults(const json::object& options) {
    json::object out;
    for (const auto& [name, value] : options) {
        if (value.is_null() || (is_default(value) && !has_own_default(name))) continue;
        if (!value.is_object() || is_map(name)) {
            out.emplace(name, value);
            continue;
        }
        auto inner = without_defaults(value.get_object());
        if (!inner.empty()) out.emplace(name, std::move(inner));
    }
    return out;
}
}  // namespace

Result<json::object> read_create_options(const json::object& settings) {
    Pieces pieces{};
    const auto count = collect(settings, pieces);
    if (!count) return fail(count.error());
    if (*count == 0) return json::object();
    if (*count == 1 && pieces[0]->is_object()) {
        if (auto ok = check_shape(pieces[0]->get_object()); !ok) return fail(ok.error());
        return pieces[0]->get_object();
    }
    std::string text;
    for (std::size_t i = 0; i < *count; ++i) {
        if (!pieces[i]->is_string()) {
            const auto what = i == 0 ? "must be a text with JSON, or one object" : "must be a text";
            return fail(Errc::malformed,
                        fmt::format("createOptions{}: {}", i == 0 ? "" : fmt::format("{:02}", i), what));
        }
        text += std::string_view(pieces[i]->get_string());
    }
    if (trimmed(text).empty() || trimmed(text) == "null") return json::object();
    auto options = parse_object(text);
    if (!options) return fail(Errc::malformed, fmt::format("createOptions: {}", options.error().text));
    if (auto ok = check_shape(*options); !ok) return fail(ok.error());
    return options;
}

void write_create_options(const json::object& options, json::object& settings) {
    const auto serialized = json::serialize(options);
    std::string_view rest = serialized;
    for (std::size_t number = 0; number == 0 || !rest.empty(); ++number) {
        auto length = std::min(piece_bytes, rest.size());
        while (length < rest.size() && (static_cast<unsigned char>(rest[length]) & 0xc0) == 0x80) --length;
        settings[number == 0 ? std::string(head) : fmt::format("{}{:02}", head, number)] = rest.substr(0, length);
        rest.remove_prefix(length);
    }
}

bool same_create_options(const json::object& a, const json::object& b) {
    return without_defaults(a) == without_defaults(b);
}

}  // namespace skerry::model
