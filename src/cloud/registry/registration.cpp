#include "cloud/registry/registration.hpp"

#include "base/encoding.hpp"

namespace skerry::cloud {

std::string_view name_of(AuthenticationType type) {
    switch (type) {
        case AuthenticationType::sas: return "sas";
        case AuthenticationType::self_signed: return "selfSigned";
        case AuthenticationType::certificate_authority: return "certificateAuthority";
        case AuthenticationType::none: return "none";
    }
    return "none";
}

std::optional<AuthenticationType> parse_authentication_type(std::string_view text) {
    for (const auto type : {AuthenticationType::sas, AuthenticationType::self_signed,
                            AuthenticationType::certificate_authority, AuthenticationType::none})
        if (equals_ignoring_case(text, name_of(type))) return type;
    if (equals_ignoring_case(text, "x509")) return AuthenticationType::self_signed;  // the identity service's word
    return std::nullopt;
}

}  // namespace skerry::cloud
