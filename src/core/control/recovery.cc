// recovery: what the store knows and what still runs, before anything is decided.
#include <algorithm>

#include "core/control/steps.h"

namespace kelvin::control {

using model::State;

namespace {

bool can_adopt(const World& world, const model::ReplicaFound& found) {
  const bool is_known =
      world.app_of_revision.contains(found.revision) && !world.replicas.contains(found.replica);
  const auto node = world.nodes.find(found.lease.node);
  if (!is_known || node == world.nodes.end() || !world.slots_free.contains(found.slot))
    return false;
  switch (found.state) {
    case State::Loading:
    case State::Ready:
      return place::can_take(node->second, found.lease);
    case State::Parked:
      return true;
    case State::Planned:
    case State::Fetching:
    case State::Starting:
    case State::Parking:
    case State::Resuming:
    case State::Draining:
    case State::Stopping:
    case State::Gone:
      return false;
  }
  return false;
}

// It is stopped; until it is gone, what it holds is nobody else's.
void turn_away(Step& step, const model::ReplicaFound& found) {
  World& world = step.world;
  if (world.replicas.contains(found.replica) || world.strays.contains(found.replica)) return;
  Stray stray;
  model::Lease lease = found.lease;
  // What a parked one held before may be somebody else's.
  if (found.state == State::Parked) lease.accelerators.clear();
  const auto node = world.nodes.find(lease.node);
  if (node != world.nodes.end() && place::can_take(node->second, lease)) {
    place::take(node->second, lease);
    stray.lease = std::move(lease);
  }
  if (world.slots_free.erase(found.slot) == 1) stray.slot = found.slot;
  stray.reason = "found running, but not as a replica of any revision that is known";
  const model::KeptReplica* kept = find_kept(world, found.replica);
  if (has_kept_word(kept)) stray.word = SlotKey{found.slot, kept->generation};
  Stray& turned_away = world.strays.emplace(found.replica, std::move(stray)).first->second;
  if (turned_away.word) return drain_stray(step, found.replica, turned_away);
  decide(step, {.replica = found.replica}, "stop", turned_away.reason);
  step.emit(model::StopReplica{.replica = found.replica, .why = turned_away.reason});
}

Replica& adopt(Step& step, App& app, const model::ReplicaFound& found) {
  World& world = step.world;
  Replica& replica = world.replicas.emplace(found.replica, Replica{}).first->second;
  replica.id = found.replica;
  replica.app = app.id;
  replica.revision = record_at(app, found.revision).revision;
  replica.state = found.state;
  replica.lease = found.lease;
  if (found.state == State::Parked) replica.lease.accelerators.clear();
  place::take(world.nodes.at(replica.lease.node), replica.lease);
  place::move_in(world.nodes.at(replica.lease.node), replica.revision->workspace);
  replica.slot = found.slot;
  world.slots_free.erase(found.slot);
  replica.port = found.port;
  replica.pid = found.pid;
  replica.created = found.created;
  replica.state_since = replica.idle_since = step.now;
  replica.reason = "found running and adopted";
  replica.is_adopted = replica.is_ordered = true;
  replica.way.push_back({found.state, step.now});
  app.replicas.insert(replica.id);
  begin_metering(step, app, replica, found.usage_sequence);
  decide(step, about(replica), "adopt",
         "found " + std::string(to_text(found.state)) + " and adopted");
  return replica;
}

// The replicas found may be of several revisions: those of the active one stay; of the others the
// latest that is ready serves on, if none of the active one is.
void choose_fallback(World& world, App& app) {
  if (!app.shares.empty() || is_rolling_out(app)) return;
  std::optional<std::pair<std::uint32_t, RevisionId>> latest;
  for (const ReplicaId id : app.replicas) {
    const Replica& replica = world.replicas.at(id);
    if (replica.state != State::Ready) continue;
    if (replica.revision->id == app.active) return;
    latest = std::max(latest.value_or(std::pair(0U, RevisionId{})),
                      std::pair(replica.revision->number, replica.revision->id));
  }
  if (latest && record_at(app, app.active).revision->spec.fixed_port == 0)
    app.fallback = latest->second;
}

// When each of them was called for last is not handed over; that they are there says that they were.
void call_for_all(Step& step, App& app) {
  for (const RevisionId revision : serving_revisions(app)) {
    const Census census = take_census(step.world, app, revision);
    record_at(app, revision)
        .levels.called(census.ready + census.coming + census.parked, {step.now, step.now});
  }
}

void resume_work(Step& step, App& app) {
  choose_fallback(step.world, app);
  follow_schedule(step, app);
  const std::set<ReplicaId> all = app.replicas;
  for (const ReplicaId id : all) {
    Replica* replica = find_replica(step.world, id);
    if (replica == nullptr || is_serving_revision(app, replica->revision->id)) continue;
    if (app.shares.empty() && replica->revision->id == app.active) continue;
    retire_replica(step, *replica, "another revision takes the requests");
  }
  publish_route(step, app);
  retry_rollout(step, app);
  ensure_minimum(step, app);
  call_for_all(step, app);
  arm_cooling_of_all(step, app);
  serve_queue(step, app);
  go_on_with_rollout(step, app);
}

// The cluster asks a replica anew whether it is ready; one that control knew as ready needs no such proof.
model::ReplicaFound as_known(const model::ReplicaFound& found, const model::KeptReplica* kept) {
  model::ReplicaFound known = found;
  if (kept == nullptr || found.state != State::Loading) return known;
  const State was = kept->state;
  if (was == State::Ready || was == State::Draining || was == State::Parking ||
      was == State::Resuming)
    known.state = State::Ready;
  return known;
}

void adopt_ready(Step& step, App& app, Replica& replica) {
  replica.woke_from = model::Temperature::Warm;
  const model::KeptReplica* kept = find_kept(step.world, replica.id);
  if (!has_kept_word(kept)) return open_replica(step, app, replica);
  replica.generation = kept->generation;
  let_requests_in(step, app, replica);
  keep_cooling(step, replica, *kept);
}

}  // namespace

void on(Step& step, const model::RevisionRestored& event) {
  App& app = ensure_app(step, event.revision);
  if (!event.is_active) return;
  app.active = event.revision->id;
  const model::AppSpec& spec = event.revision->spec;
  app.replicas_min = spec.scale.replicas_min;
  app.replicas_max = spec.scale.replicas_max;
  app.queue.set_limit(spec.queue.requests_max);
}

void on(Step& step, const model::ReplicaFound& as_found) {
  const model::KeptReplica* kept = find_kept(step.world, as_found.replica);
  const model::ReplicaFound event = as_known(as_found, kept);
  if (!can_adopt(step.world, event)) return turn_away(step, event);
  App& app = step.world.apps.at(step.world.app_of_revision.at(event.revision));
  Replica& replica = adopt(step, app, event);
  // It ran before this start of the platform: its end is no failed start.
  replica.is_proven = replica.was_ready = event.state != State::Loading;
  const bool was_draining = kept != nullptr && kept->state == State::Draining;
  const bool was_stopping = kept != nullptr && kept->state == State::Stopping;
  if (was_stopping || (was_draining && event.state == State::Ready))
    return continue_replica(step, replica, *kept);
  if (event.state == State::Ready) return adopt_ready(step, app, replica);
  if (event.state == State::Parked) {
    if (kept != nullptr && kept->state == State::Parked) keep_cooling(step, replica, *kept);
    return arm_cooling(step, app, replica);
  }
  replica.start_clock = life::StartClock(step.now);
  step.world.timers.set({Alarm::StartMoves, replica.id.value},
                        replica.start_clock.deadline(replica.revision->spec.start.progress));
}

void on(Step& step, const model::RecoveryFinished& /*event*/) {
  step.world.is_recovering = false;
  forget_kept(step);
  step.world.leases_moved = true;
  for (auto& [id, app] : step.world.apps) resume_work(step, app);
}

bool stray_gone(Step& step, ReplicaId id) {
  World& world = step.world;
  const auto found = world.strays.find(id);
  if (found == world.strays.end()) return false;
  const Stray& stray = found->second;
  if (stray.lease.node) place::give_back(world.nodes.at(stray.lease.node), stray.lease);
  if (stray.slot) world.slots_free.insert(*stray.slot);
  world.strays.erase(found);
  world.leases_moved = true;
  return true;
}

}  // namespace kelvin::control
