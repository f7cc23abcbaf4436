#include "agent/executor.hpp"

#include "base/encoding.hpp"
#include "base/log.hpp"

#include <set>
#include <utility>

namespace skerry::agent {

namespace {

// Clears what is noted as current, also when the run is cancelled.
class Current {
public:
    Current(std::optional<Command>& slot, const Command& command) : slot_(slot) { slot_ = command; }
    ~Current() { slot_.reset(); }
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

private:
    std::optional<Command>& slot_;
};

}  // namespace

Task<> CommandRunner::run(std::vector<Command> commands, std::shared_ptr<const Deployment> deployment, Done done) {
    identities_.reset();
    std::set<std::string> given_up;
    for (const auto& command : commands) {
        if (given_up.contains(module_of(command))) continue;
        log::info("Executing command: {}", describe(command));
        Result<> result;
        {
            const Current current(current_, command);
            result = co_await execute(command, deployment);
        }
        if (!result) {
            log::warn("The command '{}' failed: {}", describe(command), result.error().text);
            given_up.insert(module_of(command));
        }
        if (!done(command, result)) break;
    }
    identities_.reset();
}

Result<model::ModuleSpec> CommandRunner::spec_of(const std::string& module, const Deployment& deployment) const {
    const auto* wanted = deployment.find(module);
    if (wanted == nullptr) return fail(Errc::internal, "the deployment has no module '" + module + "'");
    std::string generation = own_generation_;
    if (module != agent_name) {
        const auto known = identities_ ? identities_->find(identity_of(module)) : decltype(identities_->end()){};
        if (!identities_ || known == identities_->end())
            return fail(Errc::internal, "its identity has not been asked for");
        generation = known->second.generation_id;
    }
    auto spec = make_spec(*wanted, deployment.manifest, facts_, generation);
    if (const auto had = deployment.images.find(module); had != deployment.images.end())
        choose_image(spec, had->second);
    return spec;
}

Task<Result<>> CommandRunner::execute(Command command, std::shared_ptr<const Deployment> deployment) {
    const auto module = module_of(command);
    if (std::holds_alternative<EnsureIdentity>(command)) co_return co_await ensure_identity(module);
    if (std::holds_alternative<DeleteIdentity>(command)) co_return co_await delete_identity(module);
    if (std::holds_alternative<Start>(command) || std::holds_alternative<Restart>(command))
        co_return co_await runtime_.start(module);
    if (std::holds_alternative<Revive>(command)) co_return co_await runtime_.restart(module);
    if (std::holds_alternative<Stop>(command)) co_return co_await runtime_.stop(module);
    if (std::holds_alternative<Remove>(command)) co_return co_await runtime_.remove(module);
    if (std::holds_alternative<ForgetRestarts>(command)) co_return Result<>{};

    auto spec = spec_of(module, *deployment);
    if (!spec) co_return fail(std::move(spec).error());
    if (std::holds_alternative<Prepare>(command)) co_return co_await prepare(std::move(*spec), *deployment);
    if (deployment->restored) spec->pull_policy = model::PullPolicy::never;  // what prepare() made sure of
    if (std::holds_alternative<Create>(command)) co_return co_await runtime_.create(std::move(*spec));
    if (std::holds_alternative<Update>(command)) co_return co_await runtime_.update(std::move(*spec), false);
    co_return co_await runtime_.update(std::move(*spec), true);
}

// What ran before is here still, whatever its registry says now; only if it is not, it is fetched once more.
Task<Result<>> CommandRunner::prepare(model::ModuleSpec spec, const Deployment& deployment) {
    if (deployment.restored) {
        auto kept = spec;
        kept.pull_policy = model::PullPolicy::never;
        const auto here = co_await runtime_.prepare(std::move(kept));
        if (here || here.error().code != Errc::not_found) co_return here;
    }
    co_return co_await runtime_.prepare(std::move(spec));
}

Task<Result<>> CommandRunner::read_identities() {
    if (identities_) co_return Result<>{};
    auto entries = co_await runtime_.identities();
    if (!entries) co_return fail(std::move(entries).error());
    identities_.emplace();
    for (auto& entry : *entries) {
        auto id = entry.module_id;
        identities_->insert_or_assign(std::move(id), std::move(entry));
    }
    co_return Result<>{};
}

Task<Result<>> CommandRunner::ensure_identity(std::string module) {
    if (const auto read = co_await read_identities(); !read) co_return read;
    const auto id = identity_of(module);
    if (identities_->contains(id)) co_return Result<>{};
    auto created = co_await runtime_.create_identity(id);
    if (!created) co_return fail(std::move(created).error());
    identities_->insert_or_assign(id, std::move(*created));
    co_return Result<>{};
}

Task<Result<>> CommandRunner::delete_identity(std::string module) {
    if (const auto read = co_await read_identities(); !read) co_return read;
    const auto id = identity_of(module);
    const auto known = identities_->find(id);
    // One that somebody else made, or that is gone already, is none of our business.
    if (known == identities_->end() || !equals_ignoring_case(known->second.managed_by, "iotedge")) co_return Result<>{};
    const auto deleted = co_await runtime_.delete_identity(id);
    if (deleted || deleted.error().code == Errc::not_found) {
        identities_->erase(id);
        co_return Result<>{};
    }
    co_return deleted;
}

}  // namespace skerry::agent
