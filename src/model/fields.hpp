// Reads the members of a JSON object by name and keeps the first thing that is wrong, named by its path.
//
// Names match exactly or else without case, null means absent, and a number or bool is accepted where a text is wanted:
// deployments in the field rely on all three.
#pragma once

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::model {

class Fields {
public:
    // `problem` is shared by all readers of one document; it stays empty while all is well. All three outlive the
    // reader.
    Fields(const boost::json::object& object, std::string path, std::string& problem);

    [[nodiscard]] std::string text(std::string_view name, std::string_view fallback = {});
    [[nodiscard]] std::string required_text(std::string_view name);  // neither absent nor blank
    [[nodiscard]] std::optional<std::uint64_t> number(std::string_view name, std::uint64_t greatest);
    [[nodiscard]] const boost::json::object* object(std::string_view name);  // nullptr when absent
    [[nodiscard]] const boost::json::object* required_object(std::string_view name);

    [[nodiscard]] const boost::json::value* find(std::string_view name) const;
    [[nodiscard]] std::string path_of(std::string_view name) const;
    void complain(std::string_view name, std::string_view what);
    [[nodiscard]] bool good() const { return problem_.empty(); }

private:
    const boost::json::object& object_;
    std::string path_;
    std::string& problem_;
};

// A string as it is, a number or bool in words; nullopt for null, arrays and objects.
[[nodiscard]] std::optional<std::string> scalar_text(const boost::json::value& value);
[[nodiscard]] std::string_view trimmed(std::string_view text);  // ASCII white space off both ends

}  // namespace skerry::model
