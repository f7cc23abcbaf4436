// IoT Hub's REST surface (iot-hub-wire.md 1.8, 2.2, 3.2, 3.3): finds the call, checks who may make it, answers.
//
// Promises: authorization comes before anything else, also before saying what exists. Every failure is answered in IoT
//           Hub's form.
// Threads:  the loop's.
#pragma once

#include "base/clock.hpp"
#include "base/random.hpp"
#include "cloud/hub.hpp"
#include "cloud/rest/answer.hpp"
#include "codec/http.hpp"

#include <boost/json/object.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::cloud {

// Whose word counts: the Authorization header, or the owner of the admin socket, who may do everything.
enum class Trust { header, owner };

class Rest {
public:
    Rest(Hub& hub, Clock& clock, Random& random) : hub_(hub), clock_(clock), random_(random) {}

    // `certificates_pem`: what the client presented in TLS, leaf first; it counts where there is no token.
    [[nodiscard]] Task<codec::HttpResponse> handle(codec::HttpRequest request, Trust trust,
                                                   std::vector<std::string> certificates_pem = {});

private:
    struct Call {
        codec::HttpRequest request;
        std::vector<std::string> path;  // decoded, without a trailing empty segment
        Trust trust;
        std::vector<std::string> certificates_pem;

        [[nodiscard]] bool is(std::string_view method) const { return request.method == method; }
        [[nodiscard]] IfMatch if_match() const;
        [[nodiscard]] std::size_t page_size(std::string_view header, std::size_t largest) const;
    };
    using Reply = Task<Outcome<Answer>>;

    [[nodiscard]] Reply dispatch(const Call& call);
    [[nodiscard]] Reply on_devices(const Call& call);
    [[nodiscard]] Reply on_twins(const Call& call);

    [[nodiscard]] Reply list_devices(const Call& call);
    [[nodiscard]] Reply change_devices(const Call& call);
    [[nodiscard]] Reply query(const Call& call);
    [[nodiscard]] Reply statistics(const Call& call);
    [[nodiscard]] Reply on_device(const Call& call, model::Identity device);
    [[nodiscard]] Reply list_modules(const Call& call, model::Identity device);
    [[nodiscard]] Reply on_module(const Call& call, model::Identity module);
    [[nodiscard]] Reply on_identity(const Call& call, model::Identity identity);
    [[nodiscard]] Reply module_list(model::Identity device);
    [[nodiscard]] Reply identity_found(model::Identity identity);
    [[nodiscard]] Reply identity_removed(model::Identity identity, IfMatch if_match);
    [[nodiscard]] Reply identity_put(model::Identity identity, boost::json::object body, IfMatch if_match);
    [[nodiscard]] Answer identity_answer(const Registration& registration);
    [[nodiscard]] Reply on_twin(const Call& call, model::Identity identity);
    [[nodiscard]] Reply invoke(const Call& call, model::Identity identity);
    [[nodiscard]] Reply apply_configuration(const Call& call, model::Identity device);
    [[nodiscard]] Reply send_events(const Call& call, model::Identity source);
    [[nodiscard]] Reply on_commands(const Call& call, model::Identity device);
    [[nodiscard]] Reply send_command(const Call& call, model::Identity device);
    [[nodiscard]] Reply receive_command(const Call& call, model::Identity device);
    [[nodiscard]] Reply settle_command(const Call& call, model::Identity device);
    [[nodiscard]] Reply purge_commands(const Call& call, model::Identity device);
    [[nodiscard]] Reply on_feedback(const Call& call);
    [[nodiscard]] Reply on_scope(const Call& call, model::Identity actor);
    [[nodiscard]] Reply on_behalf(const Call& call, model::Identity actor);
    [[nodiscard]] Reply scope_page(std::string edge_device, std::string after, std::size_t limit, std::string link);
    [[nodiscard]] Reply scope_target(model::Identity target);

    // A policy with any of `rights`, or the key or certificate of one of `identities`.
    [[nodiscard]] Task<Outcome<>> authorize(const Call& call, Rights rights,
                                            std::vector<model::Identity> identities = {});
    [[nodiscard]] Task<Outcome<Answer>> twin_answer(Twin twin);
    [[nodiscard]] Task<Outcome<boost::json::object>> twin_view(Twin twin);
    [[nodiscard]] boost::json::object identity_view(const Registration& registration);

    Hub& hub_;
    Clock& clock_;
    Random& random_;
};

// Helpers of the calls.
[[nodiscard]] Outcome<boost::json::object> body_object(const codec::HttpRequest& request);
[[nodiscard]] Outcome<model::Identity> device_of(const std::string& id);
[[nodiscard]] Outcome<model::Identity> module_of(const std::string& device, const std::string& id);
// The request's body, with what its headers say of it.
[[nodiscard]] model::Message message_of(const codec::HttpRequest& request);
[[nodiscard]] Fault no_such_call(const codec::HttpRequest& request);
[[nodiscard]] Fault wrong_method(const codec::HttpRequest& request);
// The calls of on_behalf.cpp.
[[nodiscard]] bool is_on_behalf(std::string_view operation);
// A member that is text; empty when there is none.
[[nodiscard]] std::string text_member(const boost::json::object& object, std::string_view name);

}  // namespace skerry::cloud
