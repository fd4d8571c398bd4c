#include <memory>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

ExitCode park_app(Session& session, const std::string& name) {
  const auto answer = session.api().post(app_path(name) + "/park", "{}");
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

void add_park(Cli& cli) {
  const auto app = std::make_shared<std::string>();
  cli.verbs.push_back({.name = "park",
                       .summary = "park idle replicas: their accelerators are given back",
                       .group = Group::Steer,
                       .positionals = {{.name = "APP", .into = app.get()}},
                       .run = [app](Session& session) { return park_app(session, *app); }});
}

}  // namespace kelvin::cli
