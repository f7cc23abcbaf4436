#include "agent/store.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"
#include "model/twin.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <utility>

namespace skerry::agent {

namespace json = boost::json;

namespace {

constexpr std::int64_t deployment_format = 1;
constexpr std::size_t iv_bytes = 16;

std::optional<std::string> bytes_member(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return base64_decode(value->as_string());
}

std::optional<StoredDeployment> unpack(std::string_view text) {
    auto object = model::parse_object(text);
    if (!object) return std::nullopt;
    const auto* version = object->if_contains("version");
    auto* desired = object->if_contains("desired");
    if (version == nullptr || !version->is_int64() || desired == nullptr || !desired->is_object()) return std::nullopt;
    return StoredDeployment{.version = version->as_int64(), .desired = std::move(desired->as_object())};
}

// The daemon said that it can never open this, rather than that it can't now.
bool is_final(const Error& error) { return error.code == Errc::malformed || error.code == Errc::unauthorized; }

}  // namespace

void Store::set_aside(const std::filesystem::path& file, std::string_view why) {
    auto aside = file;
    aside += ".bad";
    log::warn("The file {} can't be used ({}); it is kept as {} and the agent goes on without it", file.native(), why,
              aside.native());
    if (const auto moved = files_.rename(file, aside); !moved)
        log::warn("Moving {} aside failed: {}", file.native(), moved.error().text);
}

std::optional<json::object> Store::read_object(const std::filesystem::path& file) {
    if (!files_.exists(file)) return std::nullopt;
    const auto text = storage::read_file(files_, file);
    if (!text) {
        log::warn("Reading {} failed: {}", file.native(), text.error().text);
        return std::nullopt;
    }
    auto object = model::parse_object(*text);
    if (object) return std::move(*object);
    set_aside(file, object.error().text);
    return std::nullopt;
}

Task<Result<std::optional<StoredDeployment>>> Store::load_deployment() {
    co_return co_await load_sealed(folder_ / "deployment.json");
}

Task<Result<std::optional<StoredDeployment>>> Store::load_good() {
    co_return co_await load_sealed(folder_ / "last-good.json");
}

Task<Result<std::optional<StoredDeployment>>> Store::load_sealed(std::filesystem::path file) {
    const auto object = read_object(file);
    if (!object) co_return std::nullopt;
    const auto* format = object->if_contains("format");
    const auto iv = bytes_member(*object, "iv");
    const auto sealed = bytes_member(*object, "sealed");
    if (format == nullptr || *format != json::value(deployment_format) || !iv || !sealed) {
        set_aside(file, "it has not the format 1");
        co_return std::nullopt;
    }
    const auto plain = co_await seal_.decrypt(*sealed, *iv);
    if (!plain && !is_final(plain.error())) co_return fail(plain.error().while_doing("opening the stored deployment"));
    auto deployment = plain ? unpack(*plain) : std::nullopt;
    if (!deployment) set_aside(file, plain ? "what is sealed in it is no deployment" : plain.error().text);
    co_return deployment;
}

Task<Result<>> Store::save_deployment(StoredDeployment deployment) {
    co_return co_await save_sealed(folder_ / "deployment.json", std::move(deployment));
}

Task<Result<>> Store::save_good(StoredDeployment deployment) {
    co_return co_await save_sealed(folder_ / "last-good.json", std::move(deployment));
}

Task<Result<>> Store::save_sealed(std::filesystem::path file, StoredDeployment deployment) {
    const json::object plain{{"version", deployment.version}, {"desired", std::move(deployment.desired)}};
    auto iv = random_.bytes(iv_bytes);
    const auto sealed = co_await seal_.encrypt(json::serialize(plain), iv);
    if (!sealed) co_return fail(sealed.error().while_doing("sealing the deployment"));
    const json::object object{
        {"format", deployment_format}, {"iv", base64_encode(iv)}, {"sealed", base64_encode(*sealed)}};
    co_return save_object(file, object);
}

Result<> Store::save_object(const std::filesystem::path& file, const json::object& object) {
    if (const auto made = files_.make_folders(folder_, 0700); !made) return made;
    return storage::replace_file(files_, file, json::serialize(object));
}

json::object Store::load_trial() { return read_object(folder_ / "trial.json").value_or(json::object()); }

Result<> Store::save_trial(const json::object& trial) { return save_object(folder_ / "trial.json", trial); }

History Store::load_history() {
    const auto object = read_object(folder_ / "modules.json");
    return object ? History::from_json(*object) : History();
}

Result<> Store::save_history(const History& history) {
    return save_object(folder_ / "modules.json", history.to_json());
}

}  // namespace skerry::agent
