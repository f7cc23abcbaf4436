// The routing language (edge-hub.md 4): "FROM /messages/* WHERE temperature > '20' INTO $upstream", compiled once.
//
// Promises: what compiles means what it means to the existing hub; what it can't mean is an error with a column,
//           never a guess. Evaluation never fails, never waits, and allocates only for functions that make new text,
//           for bodies that are not in UTF-8, and for texts with escapes in them.
#pragma once

#include "base/result.hpp"
#include "model/message.hpp"
#include "route/body_values.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace skerry::route {

// What a condition sees of a message. The body is read when the first condition asks for it, and only once for all
// conditions of a RouteSet: keep one view for all routes. The message outlives the view.
class MessageView {
public:
    explicit MessageView(const model::Message& message) : message_(&message) {}
    MessageView(const MessageView&) = delete;
    MessageView& operator=(const MessageView&) = delete;

    [[nodiscard]] const model::Message& message() const { return *message_; }
    // "/messages/", "/messages/modules/m/outputs/o/", "/twinChangeNotifications/" (4.8)
    [[nodiscard]] std::string_view source() const;
    // What the body has at a place. Undefined when content type and encoding don't say JSON, or the body is no JSON
    // object.
    [[nodiscard]] const Value& in_body(const std::shared_ptr<const BodyPaths>& paths, BodyPaths::Place place) const;

private:
    void read_body(const std::shared_ptr<const BodyPaths>& paths) const;

    const model::Message* message_;
    mutable std::string_view source_;  // in one of the following two, or constant
    mutable std::array<char, 192> short_source_;
    mutable std::string long_source_;
    mutable std::string converted_;  // a body that was not in UTF-8
    mutable BodyValues body_;
};

struct Program;

enum class Truth { no, yes, undefined };
[[nodiscard]] std::string_view name_of(Truth truth);  // "false", "true", "undefined"

// A compiled condition: shared, immutable, may be evaluated on many messages.
class Condition {
public:
    // Errc::malformed; the text begins with "column N: ". Texts of at most 64 KB, nested at most 100 levels.
    [[nodiscard]] static Result<Condition> compile(std::string_view text);
    // The condition of a route without WHERE.
    [[nodiscard]] static Condition always();

    [[nodiscard]] Truth evaluate(const MessageView& message) const;
    // What it is for every message, when that shows without one: it looks at none, or is no comparison ("WHERE level").
    [[nodiscard]] std::optional<Truth> constant() const;
    // Says the same in other words at most: blanks, parentheses, case of names. Of conditions of one set of routes.
    [[nodiscard]] bool same_as(const Condition& other) const;

    explicit Condition(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

private:
    std::shared_ptr<const Program> program_;
};

struct Upstream {
    bool operator==(const Upstream&) const = default;
};
struct ModuleInput {
    std::string module;
    std::string input;
    bool operator==(const ModuleInput&) const = default;
};
using Endpoint = std::variant<Upstream, ModuleInput>;

struct Route {
    std::string source;  // without trailing '*', with one '/' at the end: "/messages/modules/sensor/"
    Condition condition;
    Endpoint endpoint;
};

// Compiles the routes of one configuration: their conditions share the one reading of a message's body.
class RouteSet {
public:
    // Errc::malformed; the text begins with "column N: ".
    [[nodiscard]] Result<Route> compile(std::string_view text);

private:
    std::shared_ptr<BodyPaths> paths_{std::make_shared<BodyPaths>()};
};

// A route on its own.
[[nodiscard]] Result<Route> compile(std::string_view text);

// The route's source leads to the message's: a prefix, without case.
[[nodiscard]] bool takes_source_of(const Route& route, const MessageView& message);
// That, and the condition is true.
[[nodiscard]] bool matches(const Route& route, const MessageView& message);

}  // namespace skerry::route
