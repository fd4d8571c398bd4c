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

// The state an app is in, before the decisions that led there.
ExitCode show_condition(Session& session, const std::string& name) {
  const auto answer = session.api().get(app_path(name));
  if (!answer) return session.fail(answer.error());
  const auto app = wire::read_app(*answer);
  if (!app) return session.fail(app.error());
  session.print(render_app_line(*app, session.page()) + render_queue(*app, session.page()));
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
  const bool is_known = kind == "app" || explained->waiting || !decisions.empty();
  if (!is_known) return session.fail(nothing_known(kind, wanted.subject));
  if (kind == "app") {
    const ExitCode shown = show_condition(session, wanted.subject);
    if (shown != ExitCode::Ok) return shown;
  }
  if (explained->waiting) session.print(render_waiting(*explained->waiting, session.page()));
  if (decisions.empty()) {
    session.say("Nothing has been decided about it yet.\n");
    return ExitCode::Ok;
  }
  const bool has_head = kind == "app" || explained->waiting;
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
