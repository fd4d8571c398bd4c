#include <memory>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

struct CreateWanted {
  std::string name;
  std::vector<std::string> scopes;
  std::optional<std::uint32_t> weight;
};

ExitCode create_key(Session& session, const CreateWanted& wanted) {
  const std::vector<std::string> scopes =
      wanted.scopes.empty() ? std::vector<std::string>{"invoke"} : wanted.scopes;
  for (const std::string& scope : scopes) {
    if (scope == "invoke" || scope == "admin") continue;
    return session.fail({.exit = ExitCode::Usage,
                         .code = "usage",
                         .what = "unknown scope \"" + scope + "\"",
                         .why = "there are invoke (call apps) and admin (manage, includes invoke)",
                         .next = "see kelvin keys --help"});
  }
  const auto answer =
      session.api().post("/keys", wire::write_key({wanted.name, scopes, wanted.weight}));
  if (!answer) return session.fail(answer.error());
  const auto made = wire::read_new_key(*answer);
  if (!made) return session.fail(made.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  session.print(made->secret + "\n");
  session.say("This key is shown only once; the server keeps no more than its hash.\n");
  return ExitCode::Ok;
}

ExitCode list_keys(Session& session) {
  const auto answer = session.api().get("/keys");
  if (!answer) return session.fail(answer.error());
  const auto keys = wire::read_keys(*answer);
  if (!keys) return session.fail(keys.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  session.print(render_keys(*keys, session.page()));
  if (keys->empty()) session.say("There are no keys. Make one with: kelvin keys create NAME\n");
  return ExitCode::Ok;
}

// `given` may be the prefix alone, or the beginning of the key: "kv_" and the prefix.
ExitCode remove_key(Session& session, const std::string& given) {
  const std::string prefix = given.starts_with("kv_") ? given.substr(3) : given;
  const auto answer = session.api().remove("/keys/" + encoded(prefix));
  if (!answer) return session.fail(answer.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  session.print("removed " + prefix + "\n");
  return ExitCode::Ok;
}

}  // namespace

void add_keys(Cli& cli) {
  const auto create = std::make_shared<CreateWanted>();
  const auto prefix = std::make_shared<std::string>();
  Verb keys{.name = "keys", .summary = "make, list and remove keys", .group = Group::Access};
  keys.verbs.push_back(
      {.name = "create",
       .summary = "make a key and print it, once",
       .positionals = {{.name = "NAME", .into = &create->name}},
       .options = {{.names = "--scope",
                    .value = "SCOPE",
                    .summary = "invoke or admin",
                    .into = &create->scopes},
                   {.names = "--weight",
                    .value = "N",
                    .summary = "turns in a queue, 1 to 100",
                    .into = &create->weight}},
       .run = [create](Session& session) { return create_key(session, *create); }});
  keys.verbs.push_back({.name = "ls", .summary = "list keys", .run = list_keys});
  keys.verbs.push_back(
      {.name = "rm",
       .summary = "remove a key; it is refused from then on",
       .positionals = {{.name = "PREFIX", .into = prefix.get()}},
       .run = [prefix](Session& session) { return remove_key(session, *prefix); }});
  cli.verbs.push_back(std::move(keys));
}

}  // namespace kelvin::cli
