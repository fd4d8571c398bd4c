#include <limits.h>
#include <stdlib.h>

#include <array>
#include <memory>

#include "cli/api.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "cli/wire.h"

namespace kelvin::cli {

namespace {

constexpr Duration kPause = 200ms;
// For the other binary to take over: longer than any deadline of the server's own.
constexpr Duration kTakeOverMax = 300s;

struct UpgradeWanted {
  std::string binary;
  std::optional<Duration> drain;
  bool waits = false;
};

// Of a file on this machine; what cannot be found is left to the server to complain about.
std::string absolute(const std::string& path) {
  std::array<char, PATH_MAX> real{};
  return ::realpath(path.c_str(), real.data()) != nullptr ? std::string(real.data()) : path;
}

Failure upgrade_failure(const std::string& why) {
  return {.exit = ExitCode::Failed,
          .code = "upgrade_failed",
          .what = "the upgrade did not come about",
          .why = why,
          .next = "the platform goes on as before; its log says more"};
}

struct Seen {
  std::string json;
  wire::Upgrade upgrade;
};

Attempt<Seen> look(Session& session) {
  auto answer = session.api().get("/upgrade");
  if (!answer) return failed(answer.error());
  auto upgrade = wire::read_upgrade(*answer);
  if (!upgrade) return failed(upgrade.error());
  return Seen{std::move(*answer), std::move(*upgrade)};
}

// Until `is_there` says so; the failure that the server tells ends it.
template <class Condition>
Attempt<Seen> follow(Session& session, Duration at_most, Condition is_there) {
  const Surroundings& here = session.surroundings();
  const Instant give_up = here.now() + at_most;
  while (true) {
    auto seen = look(session);
    if (!seen) return seen;
    if (is_there(seen->upgrade)) return seen;
    if (seen->upgrade.stage == "failed") return failed(upgrade_failure(seen->upgrade.why));
    if (here.now() >= give_up || !here.pause(kPause)) {
      return failed({.exit = ExitCode::TimedOut,
                     .code = "upgrade_unfinished",
                     .what = "the upgrade goes on",
                     .next = "its stage stands in /api/v1/upgrade"});
    }
  }
}

std::string sentence(const wire::Upgrade& upgrade) {
  std::string text =
      "kelvin " + upgrade.version + " serves (pid " + std::to_string(upgrade.pid) + ")";
  if (upgrade.draining_pid == 0) return text + "; the process before has ended\n";
  return text + "; pid " + std::to_string(upgrade.draining_pid) +
         " ends with its last connection\n";
}

ExitCode upgrade_platform(Session& session, const UpgradeWanted& wanted) {
  const std::string binary = wanted.binary.empty() ? "" : absolute(wanted.binary);
  const auto begun = session.api().post("/upgrade", wire::write_upgrade(binary, wanted.drain));
  if (!begun) return session.fail(begun.error());
  const auto before = wire::read_upgrade(*begun);
  if (!before) return session.fail(before.error());
  auto seen = follow(session, kTakeOverMax,
                     [&](const wire::Upgrade& upgrade) { return upgrade.pid != before->pid; });
  if (seen && wanted.waits) {
    const Duration drain = wanted.drain.value_or(600s) + kTakeOverMax;
    seen = follow(session, drain,
                  [](const wire::Upgrade& upgrade) { return upgrade.stage == "done"; });
  }
  if (!seen) return session.fail(seen.error());
  if (session.wants_json()) {
    session.print_json(seen->json);
    return ExitCode::Ok;
  }
  session.print(sentence(seen->upgrade));
  return ExitCode::Ok;
}

}  // namespace

void add_upgrade(Cli& cli) {
  const auto wanted = std::make_shared<UpgradeWanted>();
  cli.verbs.push_back(
      {.name = "upgrade",
       .summary = "replace the running platform's binary, failing no request",
       .group = Group::Platform,
       .options = {{.names = "--binary",
                    .value = "PATH",
                    .summary = "the file to run from now on",
                    .into = &wanted->binary},
                   {.names = "--drain",
                    .value = "TIME",
                    .summary = "how long running requests may go on",
                    .into = &wanted->drain},
                   {.names = "--wait",
                    .summary = "until the process before has ended",
                    .into = &wanted->waits}},
       .run = [wanted](Session& session) { return upgrade_platform(session, *wanted); }});
}

}  // namespace kelvin::cli
