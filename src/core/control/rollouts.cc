// rollouts: from the revision that serves to the one that was made active.
//
// Where the old revision has a ready replica it goes on serving, as the app's fallback: all
// requests, starts and resumes are its business until the first replica of the active revision is
// ready. Then its replicas are drained and it is a fallback no more. A revision that cannot start
// therefore breaks nothing: the app shows the reason, the fallback serves, and after back-off the
// next sign of traffic lets one more start be tried. Where nothing old is ready the switch is
// immediate. Where there is no room for both (one GPU, say) replicas of the fallback are drained
// one by one until there is: the one case in which a rollout makes requests wait. An app with a
// fixed port cannot have two replicas, so its old one is drained first.
#include <algorithm>

#include "core/control/steps.h"
#include "core/words.h"

namespace kelvin::control {

using model::State;

namespace {

bool has_live(const World& world, const App& app, RevisionId revision) {
  return std::any_of(app.replicas.begin(), app.replicas.end(), [&](ReplicaId id) {
    const Replica& replica = world.replicas.at(id);
    return replica.revision->id == revision && replica.state != State::Draining &&
           replica.state != State::Stopping;
  });
}

std::string number_words(const App& app, RevisionId revision) {
  return "revision " + std::to_string(record_at(app, revision).revision->number);
}

void plan_rollout(Step& step, App& app) {
  if (!may_start_things(step.world) || app.is_deleted) return;
  const std::string why = app.fallback
                              ? number_words(app, app.active) + " takes over from " +
                                    number_words(app, app.fallback) + " when it is ready"
                              : number_words(app, app.active) + " replaces the one before it";
  plan_start(step, app, {app.active, Purpose::Rollout, why});
}

}  // namespace

void retire_others(Step& step, App& app, const std::string& why) {
  const std::set<ReplicaId> all = app.replicas;
  for (const ReplicaId id : all) {
    Replica* replica = find_replica(step.world, id);
    if (replica == nullptr || replica->revision->id == app.active) continue;
    // A rollout by steps may last: what is parked of the old revision is had back meanwhile.
    const bool serves = is_rolling_out(app) || !is_parked_and_unwanted(*replica);
    const bool is_kept = replica->revision->id == app.fallback && serves;
    if (!is_kept) retire_replica(step, *replica, why);
  }
}

void activate(Step& step, App& app, RevisionId revision) {
  drop_rollout(step, app);
  take_over(step, app, revision);
}

void take_over(Step& step, App& app, RevisionId revision) {
  RevisionRecord& record = record_at(app, revision);
  record.budget.clear();
  app.trouble.clear();
  const RevisionId served = serving_revision(app);
  const bool was_ready = served != revision && has_ready(step.world, app, served);
  const bool is_port_fixed = record.revision->spec.fixed_port != 0;
  app.active = revision;
  app.fallback = was_ready && !is_port_fixed ? served : RevisionId{};
  app.replicas_min = record.revision->spec.scale.replicas_min;
  app.replicas_max = record.revision->spec.scale.replicas_max;
  app.queue.set_limit(serving_spec(app).queue.requests_max);
  if (served != revision && !was_ready) {
    decide(step, about(app), "switch",
           number_words(app, revision) + " takes the requests at once: nothing of " +
               number_words(app, served) + " is ready");
  }
  follow_schedule(step, app);
  retire_others(step, app, number_words(app, revision) + " is the active one");
  publish_route(step, app);
  if (was_ready && !has_live(step.world, app, revision)) plan_rollout(step, app);
  ensure_minimum(step, app);
  serve_queue(step, app);
}

void finish_rollout(Step& step, App& app) {
  if (is_rolling_out(app)) return begin_first_step(step, app);
  decide(step, about(app), "switch",
         number_words(app, app.active) + " is ready and takes over from " +
             number_words(app, app.fallback));
  app.fallback = {};
  app.queue.set_limit(serving_spec(app).queue.requests_max);
  retire_others(step, app, number_words(app, app.active) + " is ready");
  publish_route(step, app);
  ensure_minimum(step, app);
  serve_queue(step, app);
}

void retry_rollout(Step& step, App& app) {
  if (!app.fallback || has_live(step.world, app, app.active)) return;
  // A deploy starts nothing where nothing runs.
  if (is_rolling_out(app) && !has_ready(step.world, app, app.fallback)) return;
  const life::FailureBudget& budget = record_at(app, app.active).budget;
  if (!budget.is_failing() || step.now >= budget.next_start()) plan_rollout(step, app);
}

void wake_rollout(Step& step, App& app) {
  if (app.fallback && !has_live(step.world, app, app.active)) plan_rollout(step, app);
}

void make_way(Step& step, App& app, const place::Nodes& future, const place::Wish& wish) {
  // What cannot run beside the old revision cannot be compared with it; it waits until there is room or it is promoted.
  if (is_rolling_out(app)) return;
  place::Nodes without = future;
  Replica* oldest = nullptr;
  for (const ReplicaId id : app.replicas) {
    Replica& replica = step.world.replicas.at(id);
    if (replica.revision->id != app.fallback) continue;
    // One at a time: perhaps it is enough, and the others serve meanwhile.
    if (replica.state == State::Draining || replica.closing != Closing::None) return;
    if (replica.state != State::Ready) continue;
    place::give_back(without.at(replica.lease.node), replica.lease);
    if (oldest == nullptr || replica.idle_since < oldest->idle_since) oldest = &replica;
  }
  if (oldest == nullptr || !place::pick_place(without, wish)) return;
  drain_replica(step, *oldest,
                number_words(app, app.active) + " has no room beside " +
                    number_words(app, app.fallback) + ", which makes way");
  replica_left(step, app);
}

void replica_left(Step& step, App& app) {
  World& world = step.world;
  if (app.is_deleted) {
    if (!app.replicas.empty()) return;
    world.timers.clear({Alarm::QueueWait, app.id.value});
    world.timers.clear({Alarm::Retry, app.id.value});
    for (const auto& [revision, record] : app.revisions) world.app_of_revision.erase(revision);
    world.apps.erase(app.id);
    return;
  }
  if (!may_start_things(world)) return;
  if (app.fallback && !is_rolling_out(app) && !has_live(world, app, app.fallback)) {
    decide(step, about(app), "switch",
           number_words(app, app.fallback) + " has no replica left; " +
               number_words(app, app.active) + " takes the requests");
    app.fallback = {};
    app.queue.set_limit(serving_spec(app).queue.requests_max);
    publish_route(step, app);
  }
  retry_rollout(step, app);
  ensure_minimum(step, app);
  serve_queue(step, app);
}

}  // namespace kelvin::control
