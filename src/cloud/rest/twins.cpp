// Twins, queries over them, direct methods and deployments (2.2, 2.6, 2.7, 2.8).
#include "cloud/rest/rest.hpp"

#include "base/encoding.hpp"
#include "cloud/rest/shapes.hpp"

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <cctype>
#include <ranges>

namespace skerry::cloud {

namespace json = boost::json;

namespace {
constexpr std::size_t most_in_page = 1000;
}

Task<Outcome<json::object>> Rest::twin_view(Twin twin) {
    const auto view = co_await hub_.ask([&](Stores& stores) -> Outcome<std::pair<Registration, Registration>> {
        auto device = stores.registry.find(*model::Identity::device(twin.identity.device_id()));
        if (!device) return refuse(device.error());
        if (!twin.identity.is_module()) return std::pair(*device, *device);
        auto module = stores.registry.find(twin.identity);
        if (!module) return refuse(module.error());
        return std::pair(std::move(*module), std::move(*device));
    });
    if (!view) co_return refuse(view.error());
    co_return twin_json(twin, view->first, view->second, hub_.connections().presence(twin.identity));
}

Rest::Reply Rest::twin_answer(Twin twin) {
    const auto etag = twin.etag();
    const auto view = co_await twin_view(std::move(twin));
    if (!view) co_return refuse(view.error());
    auto answer = json_answer(*view);
    answer.headers.emplace_back("ETag", fmt::format("\"{}\"", etag));
    co_return answer;
}

Rest::Reply Rest::on_twin(const Call& call, model::Identity identity) {
    if (auto allowed = co_await authorize(call, service_connect); !allowed) co_return refuse(allowed.error());
    if (call.is("GET")) {
        auto twin = co_await hub_.ask([&](Stores& stores) { return stores.twins.find(identity); });
        if (!twin) co_return refuse(twin.error());
        co_return co_await twin_answer(std::move(*twin));
    }
    if (!call.is("PATCH") && !call.is("PUT")) co_return refuse(wrong_method(call.request));
    const auto body = body_object(call.request);
    if (!body) co_return refuse(body.error());
    auto change = parse_twin_change(*body);
    if (!change) co_return refuse(change.error());
    const auto kind = call.is("PUT") ? ChangeKind::replace : ChangeKind::patch;
    auto twin = co_await hub_.change_twin(identity, std::move(*change), kind, call.if_match());
    if (!twin) co_return refuse(twin.error());
    co_return co_await twin_answer(std::move(*twin));
}

Rest::Reply Rest::invoke(const Call& call, model::Identity identity) {
    if (auto allowed = co_await authorize(call, service_connect); !allowed) co_return refuse(allowed.error());
    if (!call.is("POST")) co_return refuse(wrong_method(call.request));
    const auto body = body_object(call.request);
    if (!body) co_return refuse(body.error());
    auto wanted = parse_method_call(*body);
    if (!wanted) co_return refuse(wanted.error());
    const auto answer = co_await hub_.invoke(std::move(identity), std::move(*wanted));
    if (!answer) co_return refuse(answer.error());
    co_return Answer{.body = method_answer_text(*answer)};
}

Rest::Reply Rest::apply_configuration(const Call& call, model::Identity device) {
    if (auto allowed = co_await authorize(call, registry_write | service_connect); !allowed)
        co_return refuse(allowed.error());
    if (!call.is("POST")) co_return refuse(wrong_method(call.request));
    auto body = body_object(call.request);
    if (!body) co_return refuse(body.error());
    const auto applied = co_await hub_.apply_content(device.device_id(), std::move(*body));
    if (!applied) co_return refuse(applied.error());
    co_return no_content();
}

namespace {
// Upper case, single spaces: good enough to tell the one query that is offered from all others.
std::string normalized(std::string_view query) {
    std::string text;
    for (const char c : query) {
        const auto byte = static_cast<unsigned char>(c);
        if (std::isspace(byte)) {
            if (!text.empty() && text.back() != ' ') text.push_back(' ');
        } else {
            text.push_back(static_cast<char>(std::toupper(byte)));
        }
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == ';')) text.pop_back();
    return text;
}
}  // namespace

Rest::Reply Rest::query(const Call& call) {
    if (auto allowed = co_await authorize(call, service_connect); !allowed) co_return refuse(allowed.error());
    const auto body = body_object(call.request);
    if (!body) co_return refuse(body.error());
    const auto* text = body->if_contains("query");
    if (text == nullptr || !text->is_string() || normalized(text->get_string()) != "SELECT * FROM DEVICES")
        co_return refuse(HubCode::argument_invalid, "the query offered here is: SELECT * FROM devices");
    const auto limit = call.page_size("x-ms-max-item-count", most_in_page);
    std::string after;
    if (const auto token = call.request.headers.find("x-ms-continuation"); token && !token->empty()) {
        auto decoded = base64_decode(*token);
        if (!decoded) co_return refuse(HubCode::argument_invalid, "x-ms-continuation is none of this hub's");
        after = std::move(*decoded);
    }
    const auto page = co_await hub_.ask([&](Stores& stores) -> Outcome<std::vector<std::pair<Registration, Twin>>> {
        auto devices = stores.registry.devices(after, limit + 1);  // one more tells whether there is a next page
        if (!devices) return refuse(devices.error());
        std::vector<std::pair<Registration, Twin>> found;
        for (auto& device : *devices) {
            auto twin = stores.twins.find(device.identity);
            if (!twin) return refuse(twin.error());
            found.emplace_back(std::move(device), std::move(*twin));
        }
        return found;
    });
    if (!page) co_return refuse(page.error());
    json::array twins;
    for (const auto& [device, twin] : *page | std::views::take(limit))
        twins.emplace_back(twin_json(twin, device, device, hub_.connections().presence(device.identity)));
    auto answer = json_answer(twins);
    answer.headers.emplace_back("x-ms-item-type", "twin");
    if (page->size() > limit)
        answer.headers.emplace_back("x-ms-continuation", base64_encode((*page)[limit - 1].first.identity.device_id()));
    co_return answer;
}

}  // namespace skerry::cloud
