// deploys: what people ask for.
#include <algorithm>

#include "core/control/steps.h"
#include "core/words.h"

namespace kelvin::control {

using model::State;

namespace {

void retire_all(Step& step, App& app, const std::string& why) {
  const std::set<ReplicaId> all = app.replicas;
  for (const ReplicaId id : all) {
    if (Replica* replica = find_replica(step.world, id)) retire_replica(step, *replica, why);
  }
}

// The replica to do without: a plan before a ready one, the one used longest ago first.
Replica* find_excess(World& world, const App& app, RevisionId revision) {
  Replica* oldest = nullptr;
  for (const ReplicaId id : app.replicas) {
    Replica& replica = world.replicas.at(id);
    if (replica.revision->id != revision) continue;
    if (replica.state == State::Planned && !replica.is_ordered) return &replica;
    if (replica.state != State::Ready) continue;
    if (oldest == nullptr || replica.idle_since < oldest->idle_since) oldest = &replica;
  }
  return oldest;
}

void shrink_to_max(Step& step, App& app, RevisionId revision) {
  const Census census = take_census(step.world, app, revision);
  const std::uint32_t most = most_replicas(app);
  for (std::uint32_t leased = census.leased; leased > most; --leased) {
    Replica* replica = find_excess(step.world, app, revision);
    if (replica == nullptr) return;
    retire_replica(step, *replica, "max is " + std::to_string(app.replicas_max));
  }
}

void wake_revision(Step& step, App& app, RevisionId revision) {
  const Census census = take_census(step.world, app, revision);
  if (census.ready + census.coming == 0) {
    wake_one(step, app, {revision, Purpose::Wake, "somebody asked for it"});
    return;
  }
  decide(step, about(app), "wake",
         "nothing to wake: " + std::to_string(census.ready) + " ready, " +
             std::to_string(census.coming) + " on the way");
}

bool is_asked_park_possible(Step& step, const App& app, const Replica& replica) {
  if (replica.state != State::Ready || replica.closing != Closing::None) return false;
  if (terms_of(app, replica).may_park) return true;
  decide(step, about(replica), "park",
         replica.may_park ? "not parked: its app file says `park: never`"
                          : "not parked: parking it has failed before");
  return false;
}

}  // namespace

App& ensure_app(Step& step, const std::shared_ptr<const model::Revision>& revision) {
  World& world = step.world;
  const auto [found, is_new] = world.apps.try_emplace(revision->app, App(revision->app, *revision));
  App& app = found->second;
  app.is_deleted = false;
  world.app_of_name.insert_or_assign(model::AppName{app.workspace, app.name}, app.id);
  world.app_of_revision.insert_or_assign(revision->id, app.id);
  if (app.revisions.contains(revision->id)) return app;
  RevisionRecord record{.revision = revision};
  const warmth::WakeTimes prior = warmth::prior_wake_times(revision->spec.needs[0].kind == "cpu");
  record.wake_cold = warmth::WakeEstimates(prior.cold);
  record.wake_parked = warmth::WakeEstimates(prior.parked);
  // A revision starts much like the one before it, and is called like it.
  if (const auto before = app.revisions.find(app.active); before != app.revisions.end()) {
    record.wake_cold = warmth::WakeEstimates(before->second.wake_cold.value());
    record.wake_parked = warmth::WakeEstimates(before->second.wake_parked.value());
    record.levels = before->second.levels;
    record.waiters = before->second.waiters;
  }
  app.revisions.emplace(revision->id, std::move(record));
  if (is_new) app.active = revision->id;
  return app;
}

void on(Step& step, const model::RevisionDeployed& event) {
  const bool is_new = find_app(step.world, event.revision->app) == nullptr;
  App& app = ensure_app(step, event.revision);
  decide(step, about(app), "deploy",
         "revision " + std::to_string(event.revision->number) + " was deployed");
  if (!app.shares.empty() && !is_rolling_out(app))
    return add_without_traffic(step, app, event.revision->id);
  if (!is_new) return deploy_revision(step, app, event.revision->id);
  follow_schedule(step, app);
  publish_route(step, app);
  ensure_minimum(step, app);
}

void on(Step& step, const model::RevisionActivated& event) {
  App* app = find_app(step.world, event.app);
  if (app == nullptr || app->is_deleted || !app->revisions.contains(event.revision)) return;
  const std::uint32_t number = record_at(*app, event.revision).revision->number;
  decide(step, about(*app), "deploy",
         "revision " + std::to_string(number) + " was made the active one again");
  drop_rollout(step, *app);
  end_split(*app);
  activate(step, *app, event.revision);
}

void on(Step& step, const model::AppDeleted& event) {
  App* app = find_app(step.world, event.app);
  if (app == nullptr || app->is_deleted) return;
  app->is_deleted = true;
  // Another app may have taken the name while this one's deletion was on its way.
  const auto named = step.world.app_of_name.find(model::AppName{app->workspace, app->name});
  if (named != step.world.app_of_name.end() && named->second == app->id)
    step.world.app_of_name.erase(named);
  drop_rollout(step, *app);
  follow_schedule(step, *app);
  decide(step, about(*app), "delete", "the app was deleted");
  refuse_waiting(step, *app,
                 {.status = 404,
                  .code = "app_deleted",
                  .sentence = app->name + " was deleted while the request waited",
                  .retry_after = {}});
  retire_all(step, *app, "the app was deleted");
  publish_route(step, *app);
  replica_left(step, *app);
}

void on(Step& step, const model::ScaleChanged& event) {
  App* app = find_app(step.world, event.app);
  if (app == nullptr || app->is_deleted) return;
  app->replicas_min = event.replicas_min;
  app->replicas_max = event.replicas_max;
  decide(step, about(*app), "scale",
         "min is " + std::to_string(event.replicas_min) + ", max is " +
             std::to_string(event.replicas_max));
  for (const RevisionId revision : serving_revisions(*app)) shrink_to_max(step, *app, revision);
  ensure_minimum(step, *app);
  arm_cooling_of_all(step, *app);
  renew_spares(step, *app);
  serve_queue(step, *app);
}

void on(Step& step, const model::ParkAsked& event) {
  App* app = find_app(step.world, event.app);
  if (app == nullptr || step.world.is_recovering) return;
  for (const ReplicaId id : app->replicas) {
    Replica& replica = step.world.replicas.at(id);
    if (!is_asked_park_possible(step, *app, replica)) continue;
    replica.cool_to = warmth::Tier::Parked;
    // Idle at all is enough: whoever asks need not wait for the two seconds.
    try_to_cool(step, replica, Closing::Asked, step.now);
  }
}

void on(Step& step, const model::WakeAsked& event) {
  App* app = find_app(step.world, event.app);
  if (app == nullptr || app->is_deleted || !may_start_things(step.world)) return;
  record_at(*app, app->active).budget.clear();
  wake_rollout(step, *app);
  for (const RevisionId revision : serving_revisions(*app)) {
    if (!app->shares.empty()) record_at(*app, revision).budget.clear();
    wake_revision(step, *app, revision);
  }
}

void on(Step& step, const model::ShutdownAsked& /*event*/) {
  step.world.is_shutting_down = true;
  for (auto& [id, app] : step.world.apps) {
    refuse_waiting(step, app,
                   {.status = 503,
                    .code = "shutting_down",
                    .sentence = "the platform is shutting down; try again when it is back",
                    .retry_after = 10s});
    retire_all(step, app, "the platform is shutting down");
  }
}

}  // namespace kelvin::control
