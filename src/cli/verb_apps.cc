#include <memory>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

struct AppsWanted {
  bool names_only = false;
};

ExitCode list_apps(Session& session, const AppsWanted& wanted) {
  const auto answer = session.api().get("/apps");
  if (!answer) return session.fail(answer.error());
  const auto apps = wire::read_apps(*answer);
  if (!apps) return session.fail(apps.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  if (wanted.names_only) {
    for (const wire::App& app : *apps) session.print(app.name + "\n");
    return ExitCode::Ok;
  }
  session.print(render_apps(*apps, session.page()));
  if (apps->empty()) session.say("There are no apps. Deploy one with: kelvin deploy kelvin.yaml\n");
  return ExitCode::Ok;
}

}  // namespace

void add_apps(Cli& cli) {
  const auto wanted = std::make_shared<AppsWanted>();
  cli.verbs.push_back(
      {.name = "apps",
       .summary = "list apps: condition, replicas, waiting requests, address",
       .group = Group::Apps,
       .options = {{.names = "-q,--names", .summary = "only names", .into = &wanted->names_only}},
       .run = [wanted](Session& session) { return list_apps(session, *wanted); }});
}

}  // namespace kelvin::cli
