#include "cloud/commands/command_store.hpp"

#include "base/encoding.hpp"
#include "cloud/registry/transaction.hpp"
#include "model/twin.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace skerry::cloud {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {
constexpr std::int64_t most_waiting = 50;
constexpr std::size_t largest = 64 * 1024;
constexpr std::int64_t most_deliveries = 10;
constexpr std::int64_t most_feedback = 10'000;
constexpr auto usual_life = 1h;
constexpr auto longest_life = 48h;
constexpr Duration feedback_lock = 60s;

std::int64_t milliseconds(WallTime time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
WallTime time_of(std::int64_t ms) {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::milliseconds(ms)));
}

json::array pairs(const model::Properties& properties) {
    json::array all;
    for (const auto& [name, value] : properties)
        all.push_back(json::array{name, value ? json::value(*value) : json::value(nullptr)});
    return all;
}

model::Properties properties_of(const json::object& document, std::string_view member) {
    model::Properties properties;
    for (const auto& pair : document.at(member).as_array()) {
        const auto& value = pair.at(1);
        properties.emplace_back(pair.at(0).as_string(),
                                value.is_null() ? std::nullopt : std::optional<std::string>(value.as_string()));
    }
    return properties;
}

std::string to_text(const model::Message& message) {
    return json::serialize(json::object{{"body", base64_encode(message.body)},
                                        {"properties", pairs(message.properties)},
                                        {"system", pairs(message.system)}});
}

Outcome<model::Message> message_of(const std::string& text) {
    const auto document = model::parse_object(text);
    if (!document) return refuse(document.error().while_doing("reading a stored message to a device"));
    return model::Message{.body = base64_decode(document->at("body").as_string()).value_or(""),
                          .properties = properties_of(*document, "properties"),
                          .system = properties_of(*document, "system")};
}

bool is_text(const model::Properties& properties) {
    return std::ranges::all_of(properties, [](const auto& property) {
        return is_utf8(property.name) && is_utf8(property.value.value_or(""));
    });
}

bool wanted(Acknowledgement acknowledgement, bool success) {
    return acknowledgement == Acknowledgement::full ||
           acknowledgement == (success ? Acknowledgement::positive : Acknowledgement::negative);
}

Outcome<> done(const Result<std::int64_t>& executed) {
    if (!executed) return refuse(executed.error());
    return {};
}
}  // namespace

Outcome<Acknowledgement> parse_acknowledgement(std::string_view text) {
    if (text.empty() || text == "none") return Acknowledgement::none;
    if (text == "positive") return Acknowledgement::positive;
    if (text == "negative") return Acknowledgement::negative;
    if (text == "full") return Acknowledgement::full;
    return refuse(HubCode::argument_invalid, "iothub-ack must be none, positive, negative or full");
}

std::int64_t CommandStore::now() const { return milliseconds(clock_.wall()); }

Outcome<> CommandStore::put(const model::Identity& device, model::Message message, Acknowledgement acknowledgement) {
    const auto known = registry_.find(device);
    if (!known) return refuse(known.error());
    if (message.size() > largest)
        return refuse(HubCode::message_too_large, fmt::format("{} bytes; the limit is {}", message.size(), largest));
    if (!is_text(message.properties) || !is_text(message.system))
        return refuse(HubCode::argument_invalid, "a property's name or value is not UTF-8");
    auto expires = clock_.wall() + usual_life;
    if (const auto text = message.system_property("absolute-expiry-time"); text && !text->empty()) {
        const auto wished = parse_rfc3339(*text);
        if (!wished || *wished <= clock_.wall() || *wished > clock_.wall() + longest_life)
            return refuse(HubCode::argument_invalid, "the expiry must be a time within the next 48 hours");
        expires = *wished;
    }
    const auto id = device.device_id();
    message.set_system_property("absolute-expiry-time", format_rfc3339(expires, 7));
    message.set_system_property("to", fmt::format("/devices/{}/messages/deviceBound", id));
    if (!message.system_property("messageId")) message.set_system_property("messageId", random_.uuid());
    return in_transaction(database_, [&]() -> Outcome<> {
        if (auto ended = end_expired(); !ended) return ended;
        const auto waiting = database_.query("SELECT COUNT(*) FROM commands WHERE device_id = ?1", {id});
        if (!waiting) return refuse(waiting.error());
        if (waiting->front().integer(0) >= most_waiting)
            return refuse(HubCode::device_maximum_queue_depth,
                          fmt::format("{} messages wait for '{}' already", most_waiting, id));
        return done(database_.execute(
            "INSERT INTO commands(device_id, generation_id, message_id, acknowledgement, enqueued, expires, "
            "delivery_count, lock_token, locked_until, message) VALUES(?1, ?2, ?3, ?4, ?5, ?6, 0, '', 0, ?7)",
            {id, known->generation_id, std::string(message.system_property("messageId").value_or("")),
             static_cast<std::int64_t>(acknowledgement), now(), milliseconds(expires), to_text(message)}));
    });
}

Outcome<std::vector<Command>> CommandStore::receive(const model::Identity& device, std::size_t at_most, Duration lock) {
    std::vector<Command> commands;
    auto received = in_transaction(database_, [&]() -> Outcome<> {
        if (auto ended = end_expired(); !ended) return ended;
        const auto rows = database_.query(
            "SELECT sequence, delivery_count, enqueued, message FROM commands WHERE device_id = ?1 AND "
            "locked_until <= ?2 ORDER BY sequence LIMIT ?3",
            {device.device_id(), now(), static_cast<std::int64_t>(at_most)});
        if (!rows) return refuse(rows.error());
        const auto until = now() + std::chrono::duration_cast<std::chrono::milliseconds>(lock).count();
        for (const auto& row : *rows) {
            auto message = message_of(row.text(3));
            if (!message) return refuse(message.error());
            Command command{.sequence = row.integer(0),
                            .lock_token = random_.uuid(),
                            .delivery_count = row.integer(1),
                            .enqueued = time_of(row.integer(2)),
                            .message = std::move(*message)};
            if (auto locked =
                    database_.execute("UPDATE commands SET lock_token = ?2, locked_until = ?3 WHERE sequence = ?1",
                                      {command.sequence, command.lock_token, until});
                !locked)
                return refuse(locked.error());
            commands.push_back(std::move(command));
        }
        return {};
    });
    if (!received) return refuse(received.error());
    return commands;
}

Outcome<> CommandStore::end(const storage::Row& row, std::string_view status) {
    const auto acknowledgement = static_cast<Acknowledgement>(row.integer(4));
    if (auto gone = done(database_.execute("DELETE FROM commands WHERE sequence = ?1", {row.integer(0)})); !gone)
        return gone;
    if (!wanted(acknowledgement, status == "Success")) return {};
    const json::object record{{"originalMessageId", row.text(3)},
                              {"description", status},
                              {"deviceGenerationId", row.text(2)},
                              {"deviceId", row.text(1)},
                              {"enqueuedTimeUtc", format_rfc3339(clock_.wall(), 7)},
                              {"statusCode", status}};
    auto kept = done(database_.execute("INSERT INTO feedback(record, lock_token, locked_until) VALUES(?1, '', 0)",
                                       {json::serialize(record)}));
    if (!kept) return kept;
    return done(database_.execute("DELETE FROM feedback WHERE sequence <= (SELECT MAX(sequence) FROM feedback) - ?1",
                                  {most_feedback}));
}

Outcome<> CommandStore::end_expired() {
    const auto rows = database_.query(
        "SELECT sequence, device_id, generation_id, message_id, acknowledgement FROM commands WHERE expires <= ?1",
        {now()});
    if (!rows) return refuse(rows.error());
    for (const auto& row : *rows)
        if (auto ended = end(row, "Expired"); !ended) return ended;
    return {};
}

Outcome<> CommandStore::settle(const model::Identity& device, const std::string& lock_token, std::string_view status) {
    return in_transaction(database_, [&]() -> Outcome<> {
        if (auto ended = end_expired(); !ended) return ended;
        const auto rows = database_.query(
            "SELECT sequence, device_id, generation_id, message_id, acknowledgement, delivery_count FROM commands "
            "WHERE device_id = ?1 AND lock_token = ?2 AND locked_until > ?3",
            {device.device_id(), lock_token, now()});
        if (!rows) return refuse(rows.error());
        if (rows->empty())
            return refuse(HubCode::precondition_failed,
                          "no message is locked with this token; its lock may have run out");
        const auto& row = rows->front();
        if (!status.empty()) return end(row, status);
        if (row.integer(5) + 1 >= most_deliveries) return end(row, "DeliveryCountExceeded");
        return done(
            database_.execute("UPDATE commands SET delivery_count = delivery_count + 1, lock_token = '', "
                              "locked_until = 0 WHERE sequence = ?1",
                              {row.integer(0)}));
    });
}

Outcome<> CommandStore::complete(const model::Identity& device, const std::string& lock_token) {
    return settle(device, lock_token, "Success");
}

Outcome<> CommandStore::reject(const model::Identity& device, const std::string& lock_token) {
    return settle(device, lock_token, "Rejected");
}

Outcome<> CommandStore::abandon(const model::Identity& device, const std::string& lock_token) {
    return settle(device, lock_token, "");
}

Outcome<> CommandStore::release(const model::Identity& device, const std::vector<std::string>& lock_tokens) {
    return in_transaction(database_, [&]() -> Outcome<> {
        for (const auto& token : lock_tokens)
            if (auto released = done(database_.execute("UPDATE commands SET lock_token = '', locked_until = 0 WHERE "
                                                       "device_id = ?1 AND lock_token = ?2",
                                                       {device.device_id(), token}));
                !released)
                return released;
        return {};
    });
}

Outcome<> CommandStore::release_all() {
    return done(database_.execute("UPDATE commands SET lock_token = '', locked_until = 0 WHERE locked_until <> 0"));
}

Outcome<std::int64_t> CommandStore::purge(const model::Identity& device) {
    std::int64_t count = 0;
    auto purged = in_transaction(database_, [&]() -> Outcome<> {
        const auto rows = database_.query(
            "SELECT sequence, device_id, generation_id, message_id, acknowledgement FROM commands WHERE device_id = ?1",
            {device.device_id()});
        if (!rows) return refuse(rows.error());
        for (const auto& row : *rows)
            if (auto ended = end(row, "Purged"); !ended) return ended;
        count = static_cast<std::int64_t>(rows->size());
        return {};
    });
    if (!purged) return refuse(purged.error());
    return count;
}

Outcome<CommandStore::Feedback> CommandStore::receive_feedback() {
    Feedback feedback{.lock_token = random_.uuid(), .records = {}};
    auto received = in_transaction(database_, [&]() -> Outcome<> {
        if (auto ended = end_expired(); !ended) return ended;
        const auto rows = database_.query(
            "SELECT sequence, record FROM feedback WHERE locked_until <= ?1 ORDER BY sequence LIMIT 64", {now()});
        if (!rows) return refuse(rows.error());
        const auto until = now() + std::chrono::duration_cast<std::chrono::milliseconds>(feedback_lock).count();
        for (const auto& row : *rows) {
            auto record = model::parse_object(row.text(1));
            if (!record) return refuse(record.error());
            feedback.records.push_back(std::move(*record));
            if (auto locked =
                    done(database_.execute("UPDATE feedback SET lock_token = ?2, locked_until = ?3 WHERE sequence = ?1",
                                           {row.integer(0), feedback.lock_token, until}));
                !locked)
                return locked;
        }
        return {};
    });
    if (!received) return refuse(received.error());
    return feedback;
}

Outcome<> CommandStore::complete_feedback(const std::string& lock_token) {
    const auto gone =
        database_.execute("DELETE FROM feedback WHERE lock_token = ?1 AND locked_until > ?2", {lock_token, now()});
    if (gone && *gone == 0) return refuse(HubCode::precondition_failed, "no feedback is locked with this token");
    return done(gone);
}

Outcome<> CommandStore::abandon_feedback(const std::string& lock_token) {
    return done(
        database_.execute("UPDATE feedback SET lock_token = '', locked_until = 0 WHERE lock_token = ?1", {lock_token}));
}

}  // namespace skerry::cloud
