#include <algorithm>
#include <memory>

#include "cli/api.h"
#include "cli/render.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "model/ids.h"

namespace kelvin::cli {

namespace {

struct ExplainWanted {
  std::string subject;
  std::optional<std::uint32_t> most;
};

// What a word names is told by its form: "r3-17" a replica, "q3-1-902" a request, anything else an app.
const char* kind_of(const std::string& subject) {
  if (model::parse_replica_id(subject)) return "replica";
  if (model::parse_request_id(subject)) return "request";
  return "app";
}

Failure nothing_known(const std::string& kind, const std::string& subject) {
  return {
      .exit = ExitCode::NotFound,
      .code = "nothing_known",
      .what = "nothing is known about " + kind + " " + subject,
      .why = "no such " + kind +
             " was seen, or its entries have left the decision log, which keeps the latest only",
      .next = kind == "request"
                  ? "a request that never waited leaves no entry; see kelvin call --timing"
                  : "see what runs with: kelvin ps"};
}

// Of an app with more replicas `kelvin ps` shows the rest.
constexpr std::size_t kReplicasMax = 10;

// The state an app and its replicas are in, before the decisions that led there.
ExitCode show_condition(Session& session, const std::string& name) {
  const auto answer = session.api().get(app_path(name));
  if (!answer) return session.fail(answer.error());
  const auto described = wire::read_description(*answer);
  if (!described) return session.fail(described.error());
  const Page& page = session.page();
  std::string out = render_app_line(described->app, page) + render_keeps(described->app, page) +
                    render_queue(described->app, page);
  const std::size_t count = std::min(described->replicas.size(), kReplicasMax);
  for (std::size_t i = 0; i < count; ++i) out += render_replica_state(described->replicas[i], page);
  session.print(out);
  return ExitCode::Ok;
}

ExitCode explain(Session& session, const ExplainWanted& wanted) {
  const std::string kind = kind_of(wanted.subject);
  const auto most = wanted.most ? std::optional(std::to_string(*wanted.most)) : std::nullopt;
  const auto answer =
      session.api().get("/decisions" + query_of({{kind, wanted.subject}, {"most", most}}));
  if (!answer) return session.fail(answer.error());
  const auto explained = wire::read_decisions(*answer);
  if (!explained) return session.fail(explained.error());
  const std::vector<wire::Decision>& decisions = explained->decisions;
  if (session.wants_json()) {
    session.print_json(*answer);
    return ExitCode::Ok;
  }
  const bool is_alive = explained->waiting || explained->replica;
  const bool is_known = kind == "app" || is_alive || !decisions.empty();
  if (!is_known) return session.fail(nothing_known(kind, wanted.subject));
  if (kind == "app") {
    const ExitCode shown = show_condition(session, wanted.subject);
    if (shown != ExitCode::Ok) return shown;
  }
  if (explained->waiting) session.print(render_waiting(*explained->waiting, session.page()));
  if (explained->replica) session.print(render_replica_state(*explained->replica, session.page()));
  if (decisions.empty()) {
    session.say("Nothing has been decided about it yet.\n");
    return ExitCode::Ok;
  }
  const bool has_head = kind == "app" || is_alive;
  session.print((has_head ? "\n" : "") + render_decisions(decisions, session.page()));
  return ExitCode::Ok;
}

}  // namespace

void add_explain(Cli& cli) {
  const auto wanted = std::make_shared<ExplainWanted>();
  cli.verbs.push_back({.name = "explain",
                       .summary = "why an app, request or replica waits, started, cooled or failed",
                       .group = Group::Look,
                       .positionals = {{.name = "SUBJECT", .into = &wanted->subject}},
                       .options = {{.names = "--most",
                                    .value = "N",
                                    .summary = "the last N entries",
                                    .into = &wanted->most}},
                       .run = [wanted](Session& session) { return explain(session, *wanted); }});
}

}  // namespace kelvin::cli
