// failures: starts that fail, replicas that die, replicas that stop answering.
#include "core/control/steps.h"
#include "core/words.h"

namespace kelvin::control {

using model::ExitCause;
using model::State;

namespace {

// Whether this end counts against the failure budget: a start that did not reach Ready, or a
// replica that was ready but never proved itself (a crash loop). What we stopped for other reasons,
// and what its node took along, does not.
bool is_failure(const Replica& replica, const model::Exit& exit) {
  if (exit.cause == ExitCause::NodeLost || replica.is_proven) return false;
  const bool was_told =
      replica.state == State::Stopping && replica.stop_cause == ExitCause::Stopped;
  if (was_told) return false;
  return replica.state != State::Planned || replica.is_ordered;
}

bool died_by_itself(const Replica& replica, const model::Exit& exit) {
  if (replica.state == State::Stopping || replica.state == State::Draining) return false;
  return exit.cause == ExitCause::Exited || exit.cause == ExitCause::Killed ||
         exit.cause == ExitCause::OutOfMemory;
}

// When the budget is spent already, only the probe that was let through after back-off spends it
// again; other starts that were under way do not.
bool counts(const life::FailureBudget& budget, const Replica& replica) {
  return !budget.is_failing() || replica.ordered_at >= budget.next_start();
}

std::string failing_words(const App& app, const RevisionRecord& record) {
  return app.name + " is failing: " + count_words(record.budget.failures(), "start") +
         " in a row failed, the last because " + to_text(record.budget.last_exit());
}

void give_up_plans_of(Step& step, App& app, RevisionId revision, const std::string& why) {
  const std::set<ReplicaId> all = app.replicas;
  for (const ReplicaId id : all) {
    Replica* replica = find_replica(step.world, id);
    if (replica == nullptr || replica->revision->id != revision) continue;
    if (replica->state == State::Planned && !replica->is_ordered) give_up_plan(step, *replica, why);
  }
}

void budget_spent(Step& step, App& app, const RevisionRecord& record) {
  const life::FailureBudget& budget = record.budget;
  const std::string words = failing_words(app, record);
  decide(step, about(app), "fail",
         words + "; the next start is tried at a request in " +
             to_words(budget.next_start() - step.now) + " or later");
  give_up_plans_of(step, app, record.revision->id, "the app is failing");
  // Whoever waits for it is served by the old revision.
  if (has_shares_by_steps(app) && record.revision->id == app.rollout->to)
    return roll_back(step, app, words);
  if (least_replicas(app) > 0)
    step.world.timers.set({Alarm::Retry, app.id.value}, budget.next_start());
  const Census census = take_census(step.world, app, record.revision->id);
  const bool is_hopeless = is_serving_revision(app, record.revision->id) &&
                           census.ready + census.coming + census.parked == 0;
  if (!is_hopeless) return;
  model::Refusal refusal = failing_refusal(app, record, step.now);
  if (budget.last_exit().cause == ExitCause::NoProgress) {
    refusal.status = 504;
    refusal.code = "start_no_progress";
  }
  refuse_waiting_for(step, app, record.revision->id, refusal);
}

void start_failed(Step& step, App& app, RevisionId revision, const model::Exit& exit) {
  RevisionRecord& record = record_at(app, revision);
  const std::uint32_t attempts = record.revision->spec.start.attempts;
  if (record.budget.failed(exit, attempts, step.now)) return budget_spent(step, app, record);
  decide(step, about(app), "retry",
         "start " + std::to_string(record.budget.failures()) + " of " + std::to_string(attempts) +
             " failed (" + to_text(exit) + "); the next may begin in " +
             to_words(record.budget.next_start() - step.now));
}

std::string suspicion_words(model::Suspicion suspicion) {
  switch (suspicion) {
    case model::Suspicion::ConnectFailed:
      return "a connection to it failed";
    case model::Suspicion::BrokenReply:
      return "it broke a reply";
    case model::Suspicion::FirstByteTimeout:
      return "it sent no first byte in time";
    case model::Suspicion::AliveFailed:
      return "its alive path did not answer well";
  }
  return "?";
}

}  // namespace

model::Refusal failing_refusal(const App& app, const RevisionRecord& record, Instant now) {
  const Duration wait = std::max<Duration>(record.budget.next_start() - now, 1s);
  return {.status = 503,
          .code = "app_failing",
          .sentence = failing_words(app, record) + ". See `kelvin logs " + app.name +
                      "`; the next start is tried at a request in " + to_words(wait) +
                      " or later, at once after a deploy or `kelvin wake " + app.name + "`",
          .retry_after = wait};
}

namespace {

// Who asked for a ready replica wants one after the first failed start too, until the budget is spent.
void wake_again(Step& step, App& app, RevisionId revision) {
  const bool is_served =
      app.shares.empty() ? app.active == revision : is_serving_revision(app, revision);
  const bool is_wanted = !app.is_deleted && is_served && may_start_things(step.world);
  if (!is_wanted || record_at(app, revision).budget.is_failing()) return;
  const RevisionId serving = app.shares.empty() ? serving_revision(app) : revision;
  const Census census = take_census(step.world, app, serving);
  if (census.ready + census.coming > 0) return;
  wake_one(step, app, {serving, Purpose::Wake, "somebody asked for it, and the last start failed"});
}

}  // namespace

void replica_gone(Step& step, Replica& replica, const model::Exit& exit) {
  App& app = step.world.apps.at(replica.app);
  const bool was_asked_for = replica.purpose == Purpose::Wake;
  const RevisionId revision = replica.revision->id;
  const bool is_failed = is_failure(replica, exit);
  const bool is_counted = is_failed && counts(record_at(app, revision).budget, replica);
  const bool is_billed = replica.was_ready && !is_failed && exit.cause != ExitCause::NodeLost;
  const bool has_died = replica.was_ready && died_by_itself(replica, exit);
  const bool was_routed = replica.state == State::Ready || is_waking_or_parked(replica.state) ||
                          replica.state == State::Stopping;
  decide(step, about(replica), "gone",
         "gone from " + std::string(to_text(replica.state)) + ": " + to_text(exit) +
             (is_billed || replica.was_ready ? "" : "; its time is not billed"));
  if (replica.is_metered) {
    step.world.meter.gone(replica.id, step.now,
                          is_billed ? meter::Billing::Due : meter::Billing::Waived);
  }
  forget_replica(step, replica);
  if (was_routed) publish_route(step, app);
  if (is_counted) start_failed(step, app, revision, exit);
  if (has_died) note_breakdown(step, app, revision);
  if (is_counted && was_asked_for) wake_again(step, app, revision);
  replica_left(step, app);
}

void on(Step& step, const model::ReplicaSuspected& event) {
  Replica* replica = find_replica(step.world, event.replica);
  if (replica == nullptr || replica->state != State::Ready) return;
  const bool is_unwell = replica->health.suspected();
  const std::string why =
      suspicion_words(event.suspicion) + (event.detail.empty() ? "" : " (" + event.detail + ")");
  decide(step, about(*replica), "suspect",
         why + "; " + std::to_string(replica->health.suspicions()) + " of " +
             std::to_string(life::kSuspicionsMax) + " in a row");
  if (!is_unwell) return;
  App& app = step.world.apps.at(replica->app);
  const RevisionId revision = replica->revision->id;
  replica->stop_cause = ExitCause::Unhealthy;
  step.world.timers.set({Alarm::DrainEnds, replica->id.value}, step.now + life::kUnwellDrainMax);
  drain_replica(step, *replica,
                "unwell: " + count_words(life::kSuspicionsMax, "failure") +
                    " in a row, the last because " + why);
  note_breakdown(step, app, revision);
  serve_queue(step, app);
  ensure_minimum(step, app);
}

void prove(Step& step, Replica& replica) {
  replica.is_proven = true;
  step.world.timers.clear({Alarm::Proven, replica.id.value});
  App& app = step.world.apps.at(replica.app);
  life::FailureBudget& budget = record_at(app, replica.revision->id).budget;
  if (budget.failures() == 0) return;
  decide(step, about(replica), "heal",
         "has proven itself: " + count_words(budget.failures(), "failed start") + " forgotten");
  budget.clear();
}

void on_proven(Step& step, Replica& replica) {
  if (replica.state == State::Ready) prove(step, replica);
}

void on_retry_due(Step& step, App& app) {
  ensure_minimum(step, app);
  retry_rollout(step, app);
}

}  // namespace kelvin::control
