#include <memory>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"

namespace kelvin::cli {

namespace {

struct LogsWanted {
  std::string app;
  bool follows = false;
  std::optional<Duration> since;
  std::string replica;
  bool has_system = false;
};

std::string query_for(const Session& session, const LogsWanted& wanted) {
  const auto if_set = [](bool is_set) {
    return is_set ? std::optional<std::string>("1") : std::nullopt;
  };
  const auto since = wanted.since ? std::optional(std::to_string(session.surroundings().unix_ms() -
                                                                 whole_ms(*wanted.since)))
                                  : std::nullopt;
  const auto replica = wanted.replica.empty() ? std::nullopt : std::optional(wanted.replica);
  return query_of({{"since_unix_ms", since},
                   {"replica", replica},
                   {"follow", if_set(wanted.follows)},
                   {"system", if_set(wanted.has_system)}});
}

ExitCode show_logs(Session& session, const LogsWanted& wanted) {
  std::size_t lines = 0;
  const Page page = session.page();
  const auto show = [&](std::string_view json) {
    if (session.wants_json()) {
      session.print(std::string(json) + "\n");
    } else if (const auto line = wire::read_log_line(json)) {
      session.print(render_log_line(*line, page));
    }
    ++lines;
    return true;
  };
  const auto ended =
      session.api().stream_lines(app_path(wanted.app) + "/logs" + query_for(session, wanted), show);
  if (!ended) return session.fail(ended.error());
  if (lines == 0 && !session.wants_json())
    session.say(wanted.app + " has printed nothing in this time.\n");
  return ExitCode::Ok;
}

}  // namespace

void add_logs(Cli& cli) {
  const auto wanted = std::make_shared<LogsWanted>();
  cli.verbs.push_back({.name = "logs",
                       .summary = "what an app's replicas print",
                       .group = Group::Look,
                       .positionals = {{.name = "APP", .into = &wanted->app}},
                       .options = {{.names = "-f,--follow",
                                    .summary = "go on with lines as they come",
                                    .into = &wanted->follows},
                                   {.names = "--since",
                                    .value = "TIME",
                                    .summary = "only the last TIME",
                                    .into = &wanted->since},
                                   {.names = "--replica",
                                    .value = "R",
                                    .summary = "only this replica",
                                    .into = &wanted->replica},
                                   {.names = "--system",
                                    .summary = "also what the platform did",
                                    .into = &wanted->has_system}},
                       .run = [wanted](Session& session) { return show_logs(session, *wanted); }});
}

}  // namespace kelvin::cli
