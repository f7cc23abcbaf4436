// A stream of JSON objects, one a line, as the engine sends the progress of a pull and its events.
//
// Bounds: 1 MB a line.
#pragma once

#include "base/result.hpp"

#include <boost/json/object.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace skerry::engine::moby {

class JsonLines {
public:
    static constexpr std::size_t longest = 1024 * 1024;

    // Calls `on_object` for each object that is complete now. Errc::malformed for a line that is no object, or what
    // `on_object` (Result<> of it) says: then nothing more is read.
    template <class OnObject>
    [[nodiscard]] Result<> feed(std::string_view bytes, OnObject on_object) {
        while (!bytes.empty()) {
            const auto end = bytes.find('\n');
            line_ += bytes.substr(0, end);
            bytes.remove_prefix(end == bytes.npos ? bytes.size() : end + 1);
            if (line_.size() > longest) return fail(Errc::malformed, "the engine sent a line of more than 1 MB");
            if (end == bytes.npos) break;
            if (auto taken = finish(on_object); !taken) return taken;
        }
        return {};
    }
    // The stream has ended: the last line may lack its newline.
    template <class OnObject>
    [[nodiscard]] Result<> finish(OnObject on_object) {
        const auto object = take();
        if (!object) return std::unexpected(object.error());
        return object->empty() ? Result<>() : Result<>(on_object(*object));
    }

private:
    // The object in the line so far, empty for a blank one; the next line begins.
    [[nodiscard]] Result<boost::json::object> take();
    std::string line_;
};

}  // namespace skerry::engine::moby
