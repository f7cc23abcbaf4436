#include "cloud/fault.hpp"

namespace skerry::cloud {

std::string_view name_of(HubCode code) {
    switch (code) {
        case HubCode::argument_invalid: return "ArgumentInvalid";
        case HubCode::format_error: return "IotHubFormatError";
        case HubCode::bulk_registry_operation_failure: return "BulkRegistryOperationFailure";
        case HubCode::invalid_device_scope: return "InvalidDeviceScope";
        case HubCode::invalid_configuration_content: return "InvalidConfigurationContent";
        case HubCode::unauthorized_access: return "IotHubUnauthorizedAccess";
        case HubCode::unauthorized: return "IotHubUnauthorized";
        case HubCode::system_module_modify: return "SystemModuleModifyUnauthorizedAccess";
        case HubCode::device_maximum_queue_depth: return "DeviceMaximumQueueDepthExceeded";
        case HubCode::device_disabled: return "DeviceDisabled";
        case HubCode::device_not_found: return "DeviceNotFound";
        case HubCode::not_found: return "NotFound";
        case HubCode::module_not_found: return "ModuleNotFound";
        case HubCode::device_not_online: return "DeviceNotOnline";
        case HubCode::method_not_allowed: return "MethodNotAllowed";
        case HubCode::device_already_exists: return "DeviceAlreadyExists";
        case HubCode::module_already_exists: return "ModuleAlreadyExistsOnDevice";
        case HubCode::precondition_failed: return "PreconditionFailed";
        case HubCode::message_too_large: return "MessageTooLarge";
        case HubCode::too_many_devices: return "TooManyDevices";
        case HubCode::too_many_modules: return "TooManyModulesOnDevice";
        case HubCode::throttling: return "ThrottlingException";
        case HubCode::server_error: return "ServerError";
        case HubCode::service_unavailable: return "ServiceUnavailable";
        case HubCode::gateway_timeout: return "GatewayTimeout";
    }
    return "ServerError";
}

std::unexpected<Fault> refuse(const Error& error) {
    switch (error.code) {
        case Errc::malformed: return refuse(HubCode::argument_invalid, error.text);
        case Errc::unauthorized: return refuse(HubCode::unauthorized, error.text);
        case Errc::not_found: return refuse(HubCode::not_found, error.text);
        case Errc::conflict: return refuse(HubCode::precondition_failed, error.text);
        case Errc::full: return refuse(HubCode::throttling, error.text);
        case Errc::unreachable:
        case Errc::timeout:
        case Errc::closed: return refuse(HubCode::service_unavailable, error.text);
        case Errc::unsupported:
        case Errc::io:
        case Errc::internal: break;
    }
    return refuse(HubCode::server_error, error.text);
}

}  // namespace skerry::cloud
