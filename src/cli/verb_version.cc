#include "cli/session.h"
#include "cli/verb.h"
#include "cli/wire.h"

namespace kelvin::cli {

namespace {

ExitCode show_version(Session& session) {
  if (session.wants_json()) {
    session.print_json(wire::write_version(KELVIN_VERSION));
  } else {
    session.print("kelvin " KELVIN_VERSION "\n");
  }
  return ExitCode::Ok;
}

}  // namespace

void add_version(Cli& cli) {
  cli.verbs.push_back({.name = "version",
                       .summary = "the version of this program",
                       .group = Group::Program,
                       .reach = Reach::Nobody,
                       .run = show_version});
}

}  // namespace kelvin::cli
