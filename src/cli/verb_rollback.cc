#include <memory>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

struct RollbackWanted {
  std::string app;
  std::optional<std::uint32_t> to;
};

ExitCode roll_back(Session& session, const RollbackWanted& wanted) {
  const auto answer =
      session.api().post(app_path(wanted.app) + "/rollback", wire::write_rollback(wanted.to));
  if (!answer) return session.fail(answer.error());
  const auto app = wire::read_app(*answer);
  if (!app) return session.fail(app.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  session.print(render_deployed(*app, session.page()));
  session.say("Revision " + std::to_string(app->revision) +
              " takes every new request from here on.\n");
  return ExitCode::Ok;
}

}  // namespace

void add_rollback(Cli& cli) {
  const auto wanted = std::make_shared<RollbackWanted>();
  cli.verbs.push_back(
      {.name = "rollback",
       .summary = "give an app's requests to an older revision again",
       .group = Group::Apps,
       .positionals = {{.name = "APP", .into = &wanted->app}},
       .options = {{.names = "--to", .value = "N", .summary = "revision", .into = &wanted->to}},
       .run = [wanted](Session& session) { return roll_back(session, *wanted); }});
}

}  // namespace kelvin::cli
