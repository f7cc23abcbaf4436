#include "base/result.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace skerry {

std::string_view name_of(Errc code) {
    switch (code) {
        case Errc::malformed: return "malformed";
        case Errc::unauthorized: return "unauthorized";
        case Errc::not_found: return "not found";
        case Errc::conflict: return "conflict";
        case Errc::full: return "full";
        case Errc::unreachable: return "unreachable";
        case Errc::timeout: return "timeout";
        case Errc::closed: return "closed";
        case Errc::unsupported: return "unsupported";
        case Errc::io: return "input/output";
        case Errc::internal: return "internal";
    }
    return "unknown";
}

Error Error::while_doing(std::string_view what) const {
    std::string full(what);
    full += ": ";
    full += text;
    return Error{code, std::move(full)};
}

Error system_error(std::string_view what, int number) {
    auto code = Errc::io;
    switch (number) {
        case ENOENT: code = Errc::not_found; break;
        case EEXIST: code = Errc::conflict; break;
        case EACCES:
        case EPERM: code = Errc::unauthorized; break;
        case ENOSPC:
        case EDQUOT:
        case EMFILE:
        case ENFILE: code = Errc::full; break;
        case ECONNREFUSED:
        case ENETUNREACH:
        case EHOSTUNREACH: code = Errc::unreachable; break;
        case ETIMEDOUT: code = Errc::timeout; break;
        case ECONNRESET:
        case EPIPE:
        case EBADF: code = Errc::closed; break;
        default: break;
    }
    return Error{code, std::string(what) + ": " + std::generic_category().message(number)};
}

}  // namespace skerry
