#include <memory>

#include "cli/api.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

struct DeleteWanted {
  std::string app;
  bool is_sure = false;
};

bool is_agreed(const Session& session, const std::string& app) {
  session.say("Delete " + app + " with every revision and replica? Usage and bill stay. [y/N] ");
  const auto answer = session.surroundings().ask();
  return answer && (*answer == "y" || *answer == "Y" || *answer == "yes");
}

ExitCode delete_app(Session& session, const DeleteWanted& wanted) {
  if (!wanted.is_sure && !session.surroundings().can_ask) {
    return session.fail({.exit = ExitCode::Usage,
                         .code = "usage",
                         .what = "nobody can be asked whether to delete " + wanted.app,
                         .why = "standard input is no terminal",
                         .next = "add --yes"});
  }
  if (!wanted.is_sure && !is_agreed(session, wanted.app)) {
    session.say("Nothing was deleted.\n");
    return ExitCode::Failed;
  }
  const auto answer = session.api().remove(app_path(wanted.app));
  if (!answer) return session.fail(answer.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  session.print("deleted " + wanted.app + "\n");
  return ExitCode::Ok;
}

}  // namespace

void add_delete(Cli& cli) {
  const auto wanted = std::make_shared<DeleteWanted>();
  cli.verbs.push_back(
      {.name = "delete",
       .summary = "remove an app with its revisions and replicas",
       .group = Group::Apps,
       .positionals = {{.name = "APP", .into = &wanted->app}},
       .options = {{.names = "-y,--yes", .summary = "do not ask", .into = &wanted->is_sure}},
       .run = [wanted](Session& session) { return delete_app(session, *wanted); }});
}

}  // namespace kelvin::cli
