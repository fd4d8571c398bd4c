#include <memory>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

ExitCode describe_app(Session& session, const std::string& app) {
  const auto answer = session.api().get(app_path(app));
  if (!answer) return session.fail(answer.error());
  const auto description = wire::read_description(*answer);
  if (!description) return session.fail(description.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  session.print(render_description(*description, session.page()));
  return ExitCode::Ok;
}

}  // namespace

void add_describe(Cli& cli) {
  const auto app = std::make_shared<std::string>();
  cli.verbs.push_back({.name = "describe",
                       .summary = "one app in full: settings, revisions, replicas",
                       .group = Group::Apps,
                       .positionals = {{.name = "APP", .into = app.get()}},
                       .run = [app](Session& session) { return describe_app(session, *app); }});
}

}  // namespace kelvin::cli
