#include "route/body_values.hpp"

#include "route/numbers.hpp"

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

namespace skerry::route {

namespace json = boost::json;

namespace {
using Place = BodyPaths::Place;

// What the parser tells its events to: keeps the values at places that are asked for. Within an object or array that
// leads to none of them it only counts how deep it is.
class Selector {
public:
    // The parser's bounds: a message has none of these sizes.
    static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
    static constexpr std::size_t max_array_size = max_object_size;
    static constexpr std::size_t max_key_size = max_object_size;
    static constexpr std::size_t max_string_size = max_object_size;

    Selector(std::string_view text, const BodyPaths& paths, std::span<Value> values, std::list<std::string>& texts)
        : text_(text), paths_(paths), values_(values), texts_(texts) {}

    [[nodiscard]] bool saw_object() const { return saw_object_; }

    bool on_document_begin(json::error_code&) { return true; }
    bool on_document_end(json::error_code&) { return true; }

    bool on_object_begin(json::error_code&) {
        if (passed_over_ > 0) return ++passed_over_, true;
        if (depth_ > 0) return open(place_of_next(), false), true;
        saw_object_ = true;
        frames_[depth_++] = {BodyPaths::root, false, 0};
        return true;
    }
    bool on_array_begin(json::error_code&) {
        if (passed_over_ > 0) return ++passed_over_, true;
        open(depth_ > 0 ? place_of_next() : BodyPaths::nowhere, true);
        return true;
    }
    bool on_object_end(std::size_t, json::error_code&) { return close(); }
    bool on_array_end(std::size_t, json::error_code&) { return close(); }

    bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
        if (passed_over_ == 0) part_.append(part.data(), part.size());
        return true;
    }
    bool on_key(json::string_view part, std::size_t size, json::error_code&) {
        if (passed_over_ == 0) enter(part, size);
        return true;
    }

    bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
        if (passed_over_ == 0) part_.append(part.data(), part.size());
        return true;
    }
    bool on_string(json::string_view part, std::size_t size, json::error_code&) {
        if (passed_over_ == 0) set_text(part, size);
        return true;
    }

    bool on_number_part(json::string_view, json::error_code&) { return true; }
    bool on_int64(std::int64_t number, json::string_view, json::error_code&) {
        return set([number] { return make_value(static_cast<double>(number)); });
    }
    bool on_uint64(std::uint64_t number, json::string_view, json::error_code&) {
        return set([number] { return make_value(static_cast<double>(number)); });
    }
    // The parser's own conversion may be wrong in the last bit of long numbers.
    bool on_double(double number, json::string_view digits, json::error_code&) {
        return set([&] { return make_value(parse_number({digits.data(), digits.size()}).value_or(number)); });
    }
    bool on_bool(bool truth, json::error_code&) {
        return set([truth] { return make_value(truth); });
    }
    bool on_null(json::error_code&) { return set(null_value); }
    bool on_comment_part(json::string_view, json::error_code&) { return true; }
    bool on_comment(json::string_view, json::error_code&) { return true; }

private:
    struct Frame {
        Place place;
        bool is_array;
        std::uint32_t next;  // of an array: the index of its next element
    };

    // Of the value that begins here.
    Place place_of_next() {
        if (depth_ == 0) return BodyPaths::nowhere;
        auto& frame = frames_[depth_ - 1];
        return frame.is_array ? paths_.element(frame.place, frame.next++) : member_;
    }

    void open(Place place, bool is_array) {
        if (place != BodyPaths::nowhere) values_[place] = undefined_value();
        const bool leads_on =
            place != BodyPaths::nowhere && !(is_array ? paths_.elements(place) : paths_.members(place)).empty();
        if (leads_on)
            frames_[depth_++] = {place, is_array, 0};
        else
            ++passed_over_;
    }

    bool close() {
        if (passed_over_ > 0)
            --passed_over_;
        else
            --depth_;
        return true;
    }

    template <class Make>
    bool set(Make make) {
        if (passed_over_ > 0) return true;
        if (const auto place = place_of_next(); place != BodyPaths::nowhere) values_[place] = make();
        return true;
    }

    [[gnu::noinline]] void enter(json::string_view part, std::size_t size) {
        std::string_view name(part.data(), part.size());
        if (size != part.size()) name = part_.append(name);
        member_ = paths_.member(frames_[depth_ - 1].place, name);
        part_.clear();
        if (member_ != BodyPaths::nowhere) forget(member_);  // the last one of a name counts
    }

    // A text without escapes comes in one part, out of the body.
    [[gnu::noinline]] void set_text(json::string_view part, std::size_t size) {
        if (const auto place = place_of_next(); place != BodyPaths::nowhere) keep(place, part, size);
        part_.clear();
    }

    void keep(Place place, json::string_view part, std::size_t size) {
        std::string_view text(part.data(), part.size());
        const std::less_equal<> not_after;
        const bool in_body = text.size() == size && not_after(text_.data(), text.data()) &&
                             not_after(text.data() + text.size(), text_.data() + text_.size());
        if (!in_body) text = texts_.emplace_back(part_.append(text));
        values_[place] = looks_like_date(text) ? undefined_value() : make_value(text);
    }

    // What was seen there, and below: as deep as the body, not as the paths.
    void forget(Place place) {
        if (values_[place].kind == Value::Kind::missing) return;
        values_[place] = missing_value();
        for (const auto member : paths_.members(place)) forget(member);
        for (const auto element : paths_.elements(place)) forget(element);
    }

    std::string_view text_;
    const BodyPaths& paths_;
    std::span<Value> values_;
    std::list<std::string>& texts_;
    std::array<Frame, deepest_body> frames_;  // of what is open and leads on
    std::size_t depth_{0};
    std::size_t passed_over_{0};
    Place member_{BodyPaths::nowhere};
    std::string part_;  // of a key or text with escapes, so far
    bool saw_object_{false};
};

enum class Strictness { strict, lenient };

// Whether the text is a JSON object.
bool select(std::string_view text, Strictness strictness, const BodyPaths& paths, std::span<Value> values,
            std::list<std::string>& texts) {
    json::parse_options options;
    options.allow_comments = strictness == Strictness::lenient;
    options.allow_trailing_commas = strictness == Strictness::lenient;
    options.max_depth = deepest_body;
    options.allow_invalid_utf8 = true;  // it was checked
    json::basic_parser<Selector> parser(options, text, paths, values, texts);
    json::error_code error;
    const auto used = parser.write_some(false, text.data(), text.size(), error);
    return !error && used == text.size() && parser.handler().saw_object();
}
}  // namespace

void BodyValues::read(std::string_view text, std::shared_ptr<const BodyPaths> paths) {
    paths_ = std::move(paths);
    // Comments and trailing commas are rare, and looking for them costs a tenth of the time.
    for (const auto strictness : {Strictness::strict, Strictness::lenient}) {
        reset(missing_value());
        if (select(text, strictness, *paths_, values_, texts_)) return;
    }
    reset(undefined_value());
}

void BodyValues::set_unreadable(std::shared_ptr<const BodyPaths> paths) {
    paths_ = std::move(paths);
    reset(undefined_value());
}

void BodyValues::reset(const Value& value) {
    texts_.clear();
    const auto size = paths_->size();
    if (size > few) many_.resize(size, value);
    values_ = size > few ? std::span(many_) : std::span(few_).first(size);
    std::ranges::fill(values_, value);
}

}  // namespace skerry::route
