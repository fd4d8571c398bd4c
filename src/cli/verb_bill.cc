#include <memory>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

ExitCode show_bill(Session& session, std::optional<Duration> since) {
  const std::int64_t now = session.surroundings().unix_ms();
  const auto from = since ? std::optional(std::to_string(now - whole_ms(*since))) : std::nullopt;
  const std::string query = query_of({{"from_unix_ms", from}});
  const auto answer = session.api().get("/bill" + query);
  if (!answer) return session.fail(answer.error());
  const auto bill = wire::read_bill(*answer);
  if (!bill) return session.fail(bill.error());
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  // Says what the time that is not on the bill was.
  const auto used = session.api().get("/usage" + query);
  if (!used) return session.fail(used.error());
  const auto usage = wire::read_usage(*used);
  if (!usage) return session.fail(usage.error());
  session.print(render_bill(*bill, *usage, session.page()));
  return ExitCode::Ok;
}

}  // namespace

void add_bill(Cli& cli) {
  const auto since = std::make_shared<std::optional<Duration>>();
  cli.verbs.push_back({.name = "bill",
                       .summary = "money per app, with the sum that leads to it",
                       .group = Group::Money,
                       .options = {{.names = "--since",
                                    .value = "TIME",
                                    .summary = "only the last TIME",
                                    .into = since.get()}},
                       .run = [since](Session& session) { return show_bill(session, *since); }});
}

}  // namespace kelvin::cli
