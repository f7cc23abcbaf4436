#include "engine/launch.hpp"

#include "base/encoding.hpp"

#include <optional>

namespace skerry::engine {

namespace {
// Each field is a tag, a length and bytes; lists repeat their tag.
void put(std::string& out, char tag, std::string_view value) {
    out.push_back(tag);
    put_le(out, static_cast<std::uint32_t>(value.size()));
    out += value;
}

void put_all(std::string& out, char tag, const std::vector<std::string>& values) {
    for (const auto& value : values) put(out, tag, value);
}

struct Field {
    char tag;
    std::string value;
};

std::optional<Field> take(std::string_view& bytes) {
    constexpr std::size_t head = 1 + sizeof(std::uint32_t);
    if (bytes.size() < head) return std::nullopt;
    const auto size = get_le<std::uint32_t>(bytes, 1);
    if (size > bytes.size() - head) return std::nullopt;
    Field field{bytes.front(), std::string(bytes.substr(head, size))};
    bytes.remove_prefix(head + size);
    return field;
}

bool apply(Launch& launch, Field field) {
    switch (field.tag) {
        case 'f': launch.folder = std::move(field.value); return true;
        case 'w': launch.working_folder = std::move(field.value); return true;
        case 'a': launch.arguments.push_back(std::move(field.value)); return true;
        case 'e': launch.environment.push_back(std::move(field.value)); return true;
        case 'v': launch.socket_folder = std::move(field.value); return true;
        case 'B': launch.binds.push_back({std::move(field.value), {}, false}); return true;
        case 'R': launch.binds.push_back({std::move(field.value), {}, true}); return true;
        case 't':
            if (launch.binds.empty()) return false;
            launch.binds.back().target = std::move(field.value);
            return true;
        case 'c': launch.cgroup_procs.push_back(std::move(field.value)); return true;
        case 's': launch.sockets.push_back(std::move(field.value)); return true;
        case 'n': launch.notes.push_back(std::move(field.value)); return true;
        case 'l':
            if (field.value.size() != sizeof launch.log_bytes) return false;
            launch.log_bytes = get_le<std::uint64_t>(field.value, 0);
            return true;
        default: return false;
    }
}
}  // namespace

std::string encode(const Launch& launch) {
    std::string out;
    put(out, 'f', launch.folder);
    put(out, 'w', launch.working_folder);
    put_all(out, 'a', launch.arguments);
    put_all(out, 'e', launch.environment);
    put(out, 'v', launch.socket_folder);
    for (const auto& bind : launch.binds) {
        put(out, bind.read_only ? 'R' : 'B', bind.source);
        put(out, 't', bind.target);
    }
    put_all(out, 'c', launch.cgroup_procs);
    put_all(out, 's', launch.sockets);
    put_all(out, 'n', launch.notes);
    std::string size;
    put_le(size, launch.log_bytes);
    put(out, 'l', size);
    return out;
}

Result<Launch> decode_launch(std::string_view bytes) {
    Launch launch;
    while (!bytes.empty()) {
        auto field = take(bytes);
        if (!field || !apply(launch, std::move(*field)))
            return fail(Errc::malformed, "the start order of the engine is damaged");
    }
    if (launch.folder.empty() || launch.arguments.empty())
        return fail(Errc::malformed, "the start order of the engine names no folder or no program");
    return launch;
}

}  // namespace skerry::engine
