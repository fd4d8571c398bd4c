// shifts: requests that go over from one revision to the next step by step, by the app file's `rollout`.
//
// A shift begins like any rollout: the old revision serves as the fallback until the new one has a ready replica. Where the
// app is cold, that start waits until the old revision is ready, so that a deploy starts nothing. Then the new one takes
// the share of the first step (App::shares, as in a split by hand), and life/trial.h judges it by the replies of that
// step: it goes on to the next one, or everything goes back to the old revision. Failed starts that spend the budget of
// the new revision while it has a share send everything back as well. Whoever splits the traffic, rolls back or deploys
// meanwhile ends the shift; the revision before it is the one that serves until what was asked for does.
//
// App::rollout is kept by the store at every change, so that the next start of the platform goes on with the same step.
// The tallies begin afresh then, which only makes the step longer.
#include <algorithm>

#include "core/control/steps.h"
#include "core/words.h"

namespace kelvin::control {

using model::RolloutStage;

namespace {

std::string name_of(const App& app, RevisionId revision) {
  return "revision " + std::to_string(record_at(app, revision).revision->number);
}

const model::RolloutRule& rule_of(const App& app) {
  return record_at(app, app.rollout->to).revision->spec.rollout;
}

// Of the requests, that the new revision takes in the present step.
std::uint32_t percent_of(const App& app) { return rule_of(app).steps.at(app.rollout->step); }

std::string step_words(const App& app) {
  return name_of(app, app.rollout->to) + " takes " + std::to_string(percent_of(app)) +
         " % of the requests and " + name_of(app, app.rollout->from) + " the rest, step " +
         std::to_string(app.rollout->step + 1) + " of " + std::to_string(rule_of(app).steps.size());
}

void keep(Step& step, const App& app) {
  step.emit(model::KeepRollout{.app = app.id, .rollout = app.rollout});
}

void set_alarm(Step& step, const App& app) {
  step.world.timers.set({Alarm::RolloutStep, app.id.value}, step.now + rule_of(app).every);
}

void take_shares(App& app) {
  const std::uint32_t percent = percent_of(app);
  const queue::Lane from{.revision = app.rollout->from, .replica = {}};
  // Who waits already stays with the old revision, however large the first step is.
  if (app.queue.size(queue::Lane{}) > 0) app.queue.move_lane({}, from);
  app.fallback = {};
  app.shares = {{app.rollout->from, 100 - percent}, {app.rollout->to, percent}};
  app.queue.set_limit(serving_spec(app).queue.requests_max);
}

void change_shares(Step& step, App& app) {
  publish_route(step, app);
  ensure_minimum(step, app);
  arm_cooling_of_all(step, app);
  serve_queue(step, app);
}

void begin_step(Step& step, App& app) {
  app.trial = {.fresh = {}, .old = {}, .began = step.now};
  app.rollout->stage = RolloutStage::Shifting;
  take_shares(app);
  decide(step, about(app), "rollout",
         step_words(app) + ", for " + to_words(rule_of(app).every) + " at least");
  keep(step, app);
  set_alarm(step, app);
  change_shares(step, app);
}

void finish_shift(Step& step, App& app, const std::string& why) {
  const model::Rollout rollout = *app.rollout;
  decide(step, about(app), "switch",
         name_of(app, rollout.to) + " takes all requests from " + name_of(app, rollout.from) +
             ": " + why);
  drop_rollout(step, app);
  app.fallback = {};
  app.queue.set_limit(serving_spec(app).queue.requests_max);
  retire_others(step, app, name_of(app, rollout.to) + " takes all requests");
  change_shares(step, app);
}

void go_on(Step& step, App& app, const std::string& why) {
  const std::vector<std::uint32_t>& steps = rule_of(app).steps;
  const std::size_t next = app.rollout->step + 1;
  if (next >= steps.size() || steps[next] >= 100) return finish_shift(step, app, why);
  decide(step, about(app), "rollout", "goes on: " + why);
  app.rollout->step = static_cast<std::uint32_t>(next);
  begin_step(step, app);
}

bool is_failing_without_replica(const Step& step, const App& app, RevisionId revision) {
  return record_at(app, revision).budget.is_failing() && !has_ready(step.world, app, revision);
}

// Nothing to go over from, nothing to protect, or no way to run both: then the switch is as without steps.
bool goes_by_steps(const Step& step, const App& app, RevisionId to) {
  const model::AppSpec& spec = record_at(app, to).revision->spec;
  const RevisionId from = serving_revision(app);
  if (spec.rollout.steps.empty() || from == to || spec.fixed_port != 0) return false;
  return serving_spec(app).fixed_port == 0 && !is_failing_without_replica(step, app, from);
}

void begin_shift(Step& step, App& app, RevisionId to) {
  const RevisionRecord& record = record_at(app, to);
  app.rollout = model::Rollout{.from = serving_revision(app), .to = to};
  app.fallback = app.rollout->from;
  app.active = to;
  app.trouble.clear();
  app.replicas_min = record.revision->spec.scale.replicas_min;
  app.replicas_max = record.revision->spec.scale.replicas_max;
  app.queue.set_limit(serving_spec(app).queue.requests_max);
  follow_schedule(step, app);
  decide(step, about(app), "rollout",
         name_of(app, to) + " takes over from " + name_of(app, app.fallback) + " in " +
             count_words(rule_of(app).steps.size(), "step") +
             ", the first when it has a ready replica");
  keep(step, app);
  retire_others(step, app, name_of(app, to) + " is the active one");
  publish_route(step, app);
  retry_rollout(step, app);
  ensure_minimum(step, app);
  serve_queue(step, app);
}

void judge_step(Step& step, App& app) {
  const life::Trial trial{
      .fresh = app.trial.fresh, .old = app.trial.old, .time = step.now - app.trial.began};
  const life::Finding finding = life::judge(trial, rule_of(app));
  app.rollout->why = finding.why;
  if (finding.verdict == life::Verdict::Lost) return roll_back(step, app, finding.why);
  if (finding.verdict == life::Verdict::Won && app.rollout->stage == RolloutStage::Shifting)
    go_on(step, app, finding.why);
}

void set_paused(Step& step, App& app, RolloutStage stage) {
  if (!has_shares_by_steps(app) || app.rollout->stage == stage) return;
  app.rollout->stage = stage;
  const bool is_paused = stage == RolloutStage::Paused;
  decide(step, about(app), "rollout",
         (is_paused ? "paused by hand: " : "goes on by hand: ") + step_words(app));
  keep(step, app);
  if (is_paused) return step.world.timers.clear({Alarm::RolloutStep, app.id.value});
  set_alarm(step, app);
  judge_step(step, app);
}

}  // namespace

bool is_rolling_out(const App& app) {
  return app.rollout && app.rollout->stage != RolloutStage::RolledBack;
}

bool has_shares_by_steps(const App& app) {
  return is_rolling_out(app) && app.rollout->stage != RolloutStage::Starting;
}

void drop_rollout(Step& step, App& app) {
  if (!app.rollout) return;
  if (is_rolling_out(app)) {
    app.shares.clear();
    app.fallback = app.rollout->from;
  }
  app.rollout.reset();
  step.world.timers.clear({Alarm::RolloutStep, app.id.value});
  keep(step, app);
}

void deploy_revision(Step& step, App& app, RevisionId revision) {
  record_at(app, revision).budget.clear();
  if (is_rolling_out(app) && app.rollout->to == revision) {
    retry_rollout(step, app);
    return serve_queue(step, app);
  }
  drop_rollout(step, app);
  if (!goes_by_steps(step, app, revision)) return activate(step, app, revision);
  begin_shift(step, app, revision);
}

void begin_first_step(Step& step, App& app) {
  app.rollout->step = 0;
  if (percent_of(app) >= 100) return finish_shift(step, app, "it is ready");
  begin_step(step, app);
}

void promote(Step& step, App& app) {
  if (!is_rolling_out(app)) return;
  if (has_shares_by_steps(app)) return finish_shift(step, app, "promoted by hand");
  // It is not ready: the switch is as without steps.
  const RevisionId to = app.rollout->to;
  decide(step, about(app), "rollout", name_of(app, to) + " was promoted by hand");
  activate(step, app, to);
}

void roll_back(Step& step, App& app, const std::string& why) {
  const RevisionId to = app.rollout->to;
  const RevisionId from = app.rollout->from;
  decide(step, about(app), "rollback",
         name_of(app, to) + " is rolled back, " + name_of(app, from) +
             " takes all requests again: " + why);
  step.world.timers.clear({Alarm::RolloutStep, app.id.value});
  app.rollout->stage = RolloutStage::RolledBack;
  app.rollout->why = why;
  keep(step, app);
  app.shares.clear();
  app.fallback = {};
  app.active = from;
  take_over(step, app, from);
  arm_cooling_of_all(step, app);
}

void note_replies(Step& step, App& app, RevisionId revision, const model::BusyEntry& entry) {
  if (!has_shares_by_steps(app)) return;
  const bool is_fresh = revision == app.rollout->to;
  if (!is_fresh && revision != app.rollout->from) return;
  life::Tally& tally = is_fresh ? app.trial.fresh : app.trial.old;
  tally.answered += entry.answered + entry.unanswered;
  tally.failed += entry.failed;
  judge_step(step, app);
}

void note_breakdown(Step& step, App& app, RevisionId revision) {
  if (!has_shares_by_steps(app)) return;
  if (revision == app.rollout->to) app.trial.fresh.breakdowns += 1;
  if (revision == app.rollout->from) app.trial.old.breakdowns += 1;
  judge_step(step, app);
}

void on_rollout_step_due(Step& step, App& app) {
  if (!has_shares_by_steps(app) || app.rollout->stage == RolloutStage::Paused) return;
  set_alarm(step, app);
  judge_step(step, app);
}

void on(Step& step, const model::RolloutAsked& event) {
  App* app = find_app(step.world, event.app);
  if (app == nullptr || app->is_deleted || !is_rolling_out(*app)) return;
  switch (event.wish) {
    case model::RolloutWish::Pause:
      return set_paused(step, *app, RolloutStage::Paused);
    case model::RolloutWish::Resume:
      return set_paused(step, *app, RolloutStage::Shifting);
    case model::RolloutWish::Promote:
      return promote(step, *app);
    case model::RolloutWish::Abort:
      return roll_back(step, *app, "aborted by hand");
  }
}

void on(Step& step, const model::RolloutRestored& event) {
  App* app = find_app(step.world, event.app);
  if (app == nullptr) return;
  const model::Rollout& rollout = event.rollout;
  const auto from = app->revisions.find(rollout.from);
  const auto to = app->revisions.find(rollout.to);
  if (from == app->revisions.end() || to == app->revisions.end() || from == to) return;
  if (rollout.stage == RolloutStage::RolledBack) {
    app->rollout = rollout;
    return;
  }
  const std::vector<std::uint32_t>& steps = to->second.revision->spec.rollout.steps;
  if (app->active != rollout.to || !app->shares.empty() || rollout.step >= steps.size()) return;
  app->rollout = rollout;
  app->trial.began = step.now;
  if (rollout.stage == RolloutStage::Starting) {
    app->fallback = rollout.from;
  } else {
    take_shares(*app);
  }
}

void go_on_with_rollout(Step& step, App& app) {
  if (!is_rolling_out(app)) return;
  if (has_shares_by_steps(app)) {
    app.trial.began = step.now;
    if (app.rollout->stage == RolloutStage::Shifting) set_alarm(step, app);
  } else if (has_ready(step.world, app, app.active)) {
    begin_first_step(step, app);
  }
}

}  // namespace kelvin::control
