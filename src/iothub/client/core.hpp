// The state of a DeviceClient and its coroutines: dial, serve until the end, wait, dial again.
//
//   down --dial--> linked --SUBACK--> up --token nearly out--> holding --dial--> linked …
//    ^                |                |                          |
//    '---- back-off --+---- lost ------'------- dial failed ------'
//
// While holding, requests wait; while down they fail at once.
#pragma once

#include "base/backoff.hpp"
#include "iothub/client/inbox.hpp"
#include "iothub/client/outbox.hpp"
#include "iothub/client/twin_requests.hpp"
#include "iothub/device_client.hpp"

#include <optional>

namespace skerry::iothub {

class ClientCore : public std::enable_shared_from_this<ClientCore> {
public:
    ClientCore(DeviceClientOptions options, DeviceClientHandlers handlers, std::shared_ptr<Credentials> credentials,
               net::Network& network, Clock& clock, Random& random, Executor executor);

    void start();
    void take_commands(bool wanted);
    void cancel();
    [[nodiscard]] static Task<> close(std::shared_ptr<ClientCore> self);
    [[nodiscard]] static Task<> wait_connected(std::shared_ptr<ClientCore> self);
    [[nodiscard]] static Task<> wait_attempt(std::shared_ptr<ClientCore> self);
    [[nodiscard]] bool connected() const { return up_ || holding_; }
    [[nodiscard]] const Error* last_error() const { return last_error_ ? &*last_error_ : nullptr; }
    [[nodiscard]] static Task<Result<>> send(std::shared_ptr<ClientCore> self, model::SharedMessage message);
    [[nodiscard]] static Task<Result<std::string>> ask_twin(std::shared_ptr<ClientCore> self,
                                                            std::string (*topic)(std::string_view id),
                                                            std::string body);

private:
    // core.cpp: the life of connections
    [[nodiscard]] static Task<> run(std::shared_ptr<ClientCore> self);
    [[nodiscard]] static Task<Result<std::shared_ptr<Link>>> dial(std::shared_ptr<ClientCore> self);
    [[nodiscard]] static Task<> serve(std::shared_ptr<ClientCore> self, std::shared_ptr<Link> link);
    [[nodiscard]] Result<> check_connack(const codec::mqtt::Connack& connack);
    [[nodiscard]] codec::mqtt::Connect connect_packet(std::string token) const;
    [[nodiscard]] codec::mqtt::Subscribe subscribe_packet(bool commands) const;
    [[nodiscard]] bool commands_wanted() const { return commands_wanted_ && handlers_->on_cloud_to_device != nullptr; }
    void change_subscription(Link& link);
    void become_up();
    void become_down(Error why);
    void leave_link();
    [[nodiscard]] static Task<> renew(std::shared_ptr<ClientCore> self, std::shared_ptr<Link> link);
    [[nodiscard]] static Task<Result<>> drain(std::shared_ptr<ClientCore> self);
    [[nodiscard]] static Task<> disconnect(std::shared_ptr<ClientCore> self, std::shared_ptr<Link> link);

    // traffic.cpp: what goes over one connection
    [[nodiscard]] static Task<> read_packets(std::shared_ptr<ClientCore> self, std::shared_ptr<Link> link);
    [[nodiscard]] static Task<> write_packets(std::shared_ptr<ClientCore> self, std::shared_ptr<Link> link);
    [[nodiscard]] static Task<> keep_alive(std::shared_ptr<ClientCore> self, std::shared_ptr<Link> link);
    void pump();
    [[nodiscard]] Result<> take_packets(const std::shared_ptr<Link>& link);
    [[nodiscard]] Result<> take(const std::shared_ptr<Link>& link, codec::mqtt::Packet packet);
    [[nodiscard]] Result<> subscription_changed(Link& link, codec::mqtt::PacketId id);
    [[nodiscard]] Result<> take_suback(Link& link, const codec::mqtt::Suback& suback);
    [[nodiscard]] Result<> take_publish(const std::shared_ptr<Link>& link, codec::mqtt::Publish publish);
    [[nodiscard]] Result<> take_message(const std::shared_ptr<Link>& link, std::string lane, model::Message message,
                                        codec::mqtt::PacketId id);
    [[nodiscard]] Result<> take_desired(const std::shared_ptr<Link>& link, codec::mqtt::Publish publish);
    void take_method(MethodRequestTopic topic, std::string payload);
    [[nodiscard]] static Task<> answer_method(std::shared_ptr<ClientCore> self, std::string id, MethodRequest request);
    void send_method_response(const std::string& id, const MethodResponse& response);

    DeviceClientOptions options_;
    // Shared with the work in the inbox: a coroutine of a handler needs the handler to exist.
    std::shared_ptr<const DeviceClientHandlers> handlers_;
    std::shared_ptr<Credentials> credentials_;
    net::Network& network_;
    Clock& clock_;
    Random& random_;
    Executor executor_;
    Backoff backoff_;           // for connections that don't come about or don't last
    Backoff failing_handlers_;  // for reopening because of a message that no handler manages
    Outbox outbox_;
    TwinRequests twin_requests_;
    std::shared_ptr<Inbox> inbox_;
    std::shared_ptr<Link> link_;  // from CONNACK on
    bool up_{false};
    bool holding_{false};
    bool closing_{false};
    bool commands_wanted_{true};
    bool told_connected_{false};  // on_connected was called, and on_disconnected not since
    std::size_t running_methods_{0};
    std::size_t handled_before_{0};
    std::optional<Error> last_error_;
    Signal changed_;
    TaskScope tasks_;
};

}  // namespace skerry::iothub
