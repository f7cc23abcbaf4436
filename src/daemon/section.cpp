#include "daemon/section.hpp"

#include <boost/json/value.hpp>

namespace skerry::daemon {

namespace json = boost::json;

std::string Section::path_of(std::string_view key) const {
    return path_.empty() ? std::string(key) : path_ + '.' + std::string(key);
}

const json::value* Section::value(std::string_view key) const {
    reading_->known.insert(path_of(key));
    return object_ == nullptr ? nullptr : object_->if_contains(key);
}

void Section::complain(std::string_view key, std::string_view problem) const {
    reading_->errors.push_back(path_of(key) + ": " + std::string(problem));
}

std::optional<std::string> Section::text(std::string_view key) const {
    const auto* const found = value(key);
    if (found == nullptr) return std::nullopt;
    if (found->is_string()) return std::string(found->get_string());
    complain(key, "must be a string");
    return std::nullopt;
}

std::optional<std::int64_t> Section::integer(std::string_view key, std::int64_t least, std::int64_t most) const {
    const auto* const found = value(key);
    if (found == nullptr) return std::nullopt;
    if (found->is_int64() && found->get_int64() >= least && found->get_int64() <= most) return found->get_int64();
    complain(key, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
}

std::optional<bool> Section::flag(std::string_view key) const {
    const auto* const found = value(key);
    if (found == nullptr) return std::nullopt;
    if (found->is_bool()) return found->get_bool();
    complain(key, "must be true or false");
    return std::nullopt;
}

std::map<std::string, std::string> Section::texts() const {
    std::map<std::string, std::string> out;
    if (object_ == nullptr) return out;
    for (const auto& [key, value] : *object_)
        if (auto found = text(key)) out[key] = std::move(*found);
    return out;
}

Section Section::section(std::string_view key) const {
    const auto* const found = value(key);
    if (found != nullptr && !found->is_object()) complain(key, "must be a section");
    const auto* const object = found != nullptr && found->is_object() ? &found->get_object() : nullptr;
    return Section(object, reading_, path_of(key));
}

namespace {
void mark_all(const json::value& value, const std::string& path, Reading& reading) {
    reading.known.insert(path);
    if (!value.is_object()) return;
    for (const auto& [key, inner] : value.get_object()) mark_all(inner, path + '.' + std::string(key), reading);
}

void find_unknown(const json::object& object, const std::string& path, const Reading& reading,
                  std::vector<std::string>& out) {
    for (const auto& [key, value] : object) {
        const auto full = path.empty() ? std::string(key) : path + '.' + std::string(key);
        if (!reading.known.contains(full))
            out.push_back(full);
        else if (value.is_object())
            find_unknown(value.get_object(), full, reading, out);
    }
}
}  // namespace

json::object Section::object(std::string_view key) const {
    const auto* const found = value(key);
    if (found == nullptr) return {};
    mark_all(*found, path_of(key), *reading_);
    if (found->is_object()) return found->get_object();
    complain(key, "must be a section");
    return {};
}

std::vector<std::string> unknown_keys(const json::object& document, const Reading& reading) {
    std::vector<std::string> out;
    find_unknown(document, "", reading, out);
    return out;
}

}  // namespace skerry::daemon
