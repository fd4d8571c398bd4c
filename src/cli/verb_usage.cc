#include <memory>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

struct UsageWanted {
  std::string app;
  std::optional<Duration> since;
};

ExitCode show_usage(Session& session, const UsageWanted& wanted) {
  const auto from = wanted.since ? std::optional(std::to_string(session.surroundings().unix_ms() -
                                                                whole_ms(*wanted.since)))
                                 : std::nullopt;
  const auto app = wanted.app.empty() ? std::nullopt : std::optional(wanted.app);
  const auto answer =
      session.api().get("/usage" + query_of({{"app", app}, {"from_unix_ms", from}}));
  if (!answer) return session.fail(answer.error());
  const auto usage = wire::read_usage(*answer);
  if (!usage) return session.fail(usage.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  session.print(render_usage(*usage, session.page()));
  if (usage->sums.empty())
    session.say("There is no usage in this time. Work shows here within 10 seconds.\n");
  return ExitCode::Ok;
}

}  // namespace

void add_usage(Cli& cli) {
  const auto wanted = std::make_shared<UsageWanted>();
  cli.verbs.push_back(
      {.name = "usage",
       .summary = "time per app and phase, to the millisecond",
       .group = Group::Money,
       .positionals = {{.name = "APP", .need = Need::Optional, .into = &wanted->app}},
       .options = {{.names = "--since",
                    .value = "TIME",
                    .summary = "only the last TIME",
                    .into = &wanted->since}},
       .run = [wanted](Session& session) { return show_usage(session, *wanted); }});
}

}  // namespace kelvin::cli
