#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

ExitCode show_status(Session& session) {
  const auto answer = session.api().get("/status");
  if (!answer) return session.fail(answer.error());
  const auto status = wire::read_status(*answer);
  if (!status) return session.fail(status.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  session.print(render_status(*status, session.api().server().url, session.page()));
  return ExitCode::Ok;
}

}  // namespace

void add_status(Cli& cli) {
  cli.verbs.push_back({.name = "status",
                       .summary = "the server, its nodes and their accelerators",
                       .group = Group::Platform,
                       .run = show_status});
}

}  // namespace kelvin::cli
