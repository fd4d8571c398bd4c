#include <memory>

#include "cli/plan_options.h"
#include "cli/plan_report.h"
#include "cli/plan_text.h"
#include "cli/progress.h"
#include "cli/session.h"
#include "cli/verb.h"
#include "os/files.h"
#include "plan/policies.h"

namespace kelvin::cli {

namespace {

Progress::Surface surface_of(const Session& session) {
  Terminal terminal = session.surroundings().err_terminal();
  if (session.wants_json()) terminal.is_terminal = false;
  return {terminal, session.surroundings().err, session.surroundings().now};
}

Failure refused(const plan::Refusal& refusal) {
  Failure failure{.exit = ExitCode::Usage,
                  .code = "trace_refused",
                  .what = "the trace is refused",
                  .next = refusal.next};
  failure.faults.push_back(
      {refusal.file, static_cast<std::uint32_t>(refusal.line), 0, refusal.what});
  return failure;
}

Attempt<plan::ReadTrace> read(Session& session, const std::string& file,
                              plan::ReadOptions options) {
  Progress progress(surface_of(session), "reading");
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    // Of a pipe the end is not known.
    if (total > 0) progress.update(done, total);
  };
  auto trace = plan::read_trace(file, options);
  if (!trace) return failed(refused(trace.error()));
  return std::move(*trace);
}

std::string policy_name(const plan::Policy& policy) {
  return policy.urgency_milli ? "kelvin " + urgency_name(*policy.urgency_milli) : policy.name;
}

PlanPlayer player_of(const plan::Policy& policy) {
  if (policy.urgency_milli) return PlanPlayer::Kelvin;
  return policy.is_reserved ? PlanPlayer::Reserved : PlanPlayer::Rival;
}

PlanReport replayed(Session& session, const PlanWanted& wanted, const plan::Trace& trace) {
  PlanReport report{.terms = wanted.terms,
                    .service = wanted.reading.service,
                    .seed = wanted.reading.seed,
                    .urgencies = wanted.urgencies,
                    .urgency = wanted.urgency,
                    .price = wanted.price,
                    .reserved_price = wanted.reserved_price};
  report.optimum = plan::offline_optimum(trace, wanted.terms);
  for (const std::uint32_t replicas : plan::peak_needs(trace, wanted.terms.slots))
    report.peak += replicas;
  const std::vector<plan::Policy> policies = plan::policies(wanted.urgencies);
  Progress progress(surface_of(session), "replaying");
  const std::uint64_t total = policies.size() * trace.arrivals.size();
  std::uint64_t before = 0;
  for (const plan::Policy& policy : policies) {
    progress.relabel("replaying: " + policy_name(policy));
    const auto tell = [&](std::size_t arrivals) {
      progress.update(before + arrivals, total, Amount::Work);
    };
    tell(0);
    plan::Outcome outcome = policy.replay(trace, wanted.terms, tell);
    outcome.policy = policy_name(policy);
    report.rows.push_back(row_of(outcome, player_of(policy)));
    report.rows.back().urgency_milli = policy.urgency_milli;
    before += trace.arrivals.size();
  }
  return report;
}

Attempt<void> write_page(const std::string& path, const PlanReport& report) {
  const Status written = os::write_file_atomic(
      path, plan_page(report), {.mode = 0644, .durability = os::Durability::Process});
  if (written) return {};
  return failed({.code = "not_written",
                 .what = "cannot write " + path,
                 .why = written.error().what,
                 .next = "name a file in a folder that exists and that you may write to"});
}

ExitCode plan_traffic(Session& session, const PlanWords& words) {
  PlanParsed parsed = parse_plan_words(words);
  if (!parsed.wanted) return session.fail(parsed.wanted.error(), parsed.app_text);
  const PlanWanted& wanted = *parsed.wanted;
  const auto trace = read(session, words.trace, wanted.reading);
  if (!trace) return session.fail(trace.error());
  PlanReport report = replayed(session, wanted, trace->trace);
  report.traffic = traffic_of(words.trace, *trace);
  if (!words.html.empty()) {
    if (const auto written = write_page(words.html, report); !written)
      return session.fail(written.error());
    if (!session.wants_json()) session.say("Wrote " + words.html + "\n");
  }
  if (session.wants_json()) {
    session.print_json(plan_json(report));
  } else {
    session.print(render_plan(report, session.page()));
  }
  return ExitCode::Ok;
}

std::vector<Option> trace_options(PlanWords& words) {
  return {{.names = "--trace",
           .value = "FILE",
           .summary = "the traffic: a file, or a ServeGen folder",
           .into = &words.trace,
           .is_required = true},
          {.names = "--format",
           .value = "NAME",
           .summary = "what the file is, instead of by its content",
           .into = &words.format},
          {.names = "--client",
           .value = "N",
           .summary = "of a ServeGen folder, only this client",
           .into = &words.clients},
          {.names = "--service-time",
           .value = "A,B,C",
           .summary = "seconds: fixed, per context and per generated token",
           .into = &words.service_time},
          {.names = "--seed", .value = "N", .summary = "of drawn requests", .into = &words.seed}};
}

std::vector<Option> terms_options(PlanWords& words) {
  return {{.names = "--app",
           .value = "FILE",
           .summary = "an app file, for slots, max, urgency and park",
           .into = &words.app},
          {.names = "--slots",
           .value = "N",
           .summary = "requests that a replica serves at once",
           .into = &words.slots},
          {.names = "--start-time",
           .value = "TIME",
           .summary = "from cold to ready",
           .into = &words.start_time},
          {.names = "--resume-time",
           .value = "TIME",
           .summary = "from parked to ready, or none",
           .into = &words.resume_time},
          {.names = "--max",
           .value = "N",
           .summary = "replicas of an app",
           .into = &words.replicas_max},
          {.names = "--urgency",
           .value = "WORD",
           .summary = "what waiting is worth; may be repeated",
           .into = &words.urgencies},
          {.names = "--price",
           .value = "EUR",
           .summary = "of an accelerator for an hour",
           .into = &words.price},
          {.names = "--reserved-price",
           .value = "EUR",
           .summary = "the same where it is reserved",
           .into = &words.reserved_price},
          {.names = "--html",
           .value = "FILE",
           .summary = "also draw it all over time",
           .into = &words.html}};
}

}  // namespace

void add_plan(Cli& cli) {
  const auto words = std::make_shared<PlanWords>();
  std::vector<Option> options = trace_options(*words);
  for (Option& option : terms_options(*words)) options.push_back(std::move(option));
  cli.verbs.push_back({.name = "plan",
                       .summary = "what traffic would cost, and how long it would wait",
                       .group = Group::Money,
                       .reach = Reach::Nobody,
                       .options = std::move(options),
                       .run = [words](Session& session) { return plan_traffic(session, *words); }});
}

}  // namespace kelvin::cli
