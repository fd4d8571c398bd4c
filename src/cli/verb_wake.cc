#include <memory>

#include "cli/api.h"
#include "cli/readiness.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

struct WakeWanted {
  std::string app;
  bool waits = false;
  std::optional<Duration> timeout;
};

ExitCode wake_app(Session& session, const WakeWanted& wanted) {
  const auto answer =
      wanted.waits
          ? await_readiness(
                session, {.app = wanted.app, .timeout = wanted.timeout.value_or(kReadinessTimeout)})
          : session.api().post(app_path(wanted.app) + "/wake", "{}");
  if (!answer) return session.fail(answer.error());
  const auto app = wire::read_app(*answer);
  if (!app) return session.fail(app.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  session.print(render_app_line(*app, session.page()));
  return ExitCode::Ok;
}

}  // namespace

void add_wake(Cli& cli) {
  const auto wanted = std::make_shared<WakeWanted>();
  cli.verbs.push_back({.name = "wake",
                       .summary = "have one replica ready before a request comes",
                       .group = Group::Steer,
                       .positionals = {{.name = "APP", .into = &wanted->app}},
                       .options = {{.names = "--wait",
                                    .summary = "until a replica is ready",
                                    .into = &wanted->waits},
                                   {.names = "--timeout",
                                    .value = "TIME",
                                    .summary = "how long to wait",
                                    .into = &wanted->timeout}},
                       .run = [wanted](Session& session) { return wake_app(session, *wanted); }});
}

}  // namespace kelvin::cli
