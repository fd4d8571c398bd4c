#include <memory>

#include "cli/completion.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "cli/wire.h"

namespace kelvin::cli {

namespace {

ExitCode show_completion(Session& session, const Cli& cli, const std::string& shell) {
  const auto script = completion_script(cli, shell);
  if (!script) {
    return session.fail({.exit = ExitCode::Usage,
                         .code = "usage",
                         .what = "there is no completion for \"" + shell + "\"",
                         .why = "known shells are bash, zsh and fish"});
  }
  if (session.wants_json()) {
    session.print_json(wire::write_script(shell, *script));
  } else {
    session.print(*script);
  }
  return ExitCode::Ok;
}

}  // namespace

// `cli` outlives the verb, which is one of its parts.
void add_completion(Cli& cli) {
  const auto shell = std::make_shared<std::string>();
  cli.verbs.push_back(
      {.name = "completion",
       .summary = "completion for bash, zsh or fish",
       .group = Group::Program,
       .reach = Reach::Nobody,
       .positionals = {{.name = "SHELL", .into = shell.get()}},
       .run = [shell, &cli](Session& session) { return show_completion(session, cli, *shell); }});
}

}  // namespace kelvin::cli
