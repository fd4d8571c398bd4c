// replicas: what the cluster says about a replica's way up, into the parked state and out of it.
#include <algorithm>
#include <array>

#include "core/control/steps.h"
#include "core/words.h"

namespace kelvin::control {

using model::State;

namespace {

// The way up. Messages may be lost or overtake each other, so a later state implies the ones
// before.
constexpr std::array kWayUp = {State::Planned, State::Fetching, State::Starting, State::Loading,
                               State::Ready};

std::size_t place_on_way(State state) {
  return static_cast<std::size_t>(std::find(kWayUp.begin(), kWayUp.end(), state) - kWayUp.begin());
}

void note_address(Replica& replica, const model::ReplicaMoved& event) {
  if (event.port != 0) replica.port = event.port;
  if (event.pid != 0) replica.pid = event.pid;
}

void arm_start(Step& step, Replica& replica) {
  step.world.timers.set({Alarm::StartMoves, replica.id.value},
                        replica.start_clock.deadline(replica.revision->spec.start.progress));
}

// "ready after 1.2 s: start 30 ms, load 1.17 s".
std::string way_words(const Replica& replica, Instant now) {
  std::string words = "ready after " + to_words(now - replica.ordered_at);
  std::string parts;
  for (std::size_t i = 0; i + 1 < replica.way.size(); ++i) {
    if (replica.way[i].state == State::Planned) continue;
    const model::Phase phase = phase_of(replica.way[i].state);
    parts += (parts.empty() ? ": " : ", ") + std::string(to_text(phase)) + " " +
             to_words(replica.way[i + 1].at - replica.way[i].at);
  }
  return words + parts;
}

void learn_wake_time(Step& step, App& app, const Replica& replica) {
  RevisionRecord& record = record_at(app, replica.revision->id);
  const NodeId node = replica.lease.node;
  const Duration time = step.now - replica.ordered_at;
  record.waiters.woke(time);
  if (replica.woke_from == model::Temperature::Parked) {
    record.wake_parked.measured(node, time);
  } else {
    record.wake_cold.measured(node, time);
  }
}

void became_ready(Step& step, App& app, Replica& replica) {
  const bool was_resumed = replica.state == State::Resuming;
  replica.woke_from = was_resumed ? model::Temperature::Parked : model::Temperature::Cold;
  move(step, replica, State::Ready, "");
  replica.reason = way_words(replica, step.now);
  if (replica.ordered_at != Instant{}) learn_wake_time(step, app, replica);
  step.world.timers.clear({Alarm::StartMoves, replica.id.value});
  record_at(app, replica.revision->id).budget.ready();
  decide(step, about(replica), "ready", replica.reason);
  // The fallback is drained after the route names this one, so that there is always somebody to
  // ask.
  open_replica(step, app, replica);
  if (app.fallback && replica.revision->id == app.active) finish_rollout(step, app);
}

void went_up(Step& step, App& app, Replica& replica, State to) {
  std::size_t at = place_on_way(replica.state);
  const std::size_t goal = place_on_way(to);
  // A move that is no step forward is old news.
  if (!replica.is_ordered || at >= goal) return;
  while (++at < goal) {
    // Nothing is fetched unless the cluster says so.
    if (kWayUp[at] != State::Fetching) move(step, replica, kWayUp[at], "");
  }
  if (to == State::Ready) return became_ready(step, app, replica);
  move(step, replica, to, "the cluster says so");
  replica.start_clock.moved(model::Progress::Strong, step.now);
  arm_start(step, replica);
}

void became_parked(Step& step, App& app, Replica& replica) {
  if (replica.state != State::Parking || !replica.is_park_ordered) return;
  move(step, replica, State::Parked, replica.reason);
  step.world.timers.clear({Alarm::StartMoves, replica.id.value});
  give_back_accelerators(step, replica);
  replica.is_park_ordered = false;
  replica.is_relief = false;
  const bool wakes_again = std::exchange(replica.wakes_again, false);
  const bool is_wanted = replica.purpose != Purpose::Demand ||
                         count_waiting_for(app, replica.revision->id).wanting > 0;
  if (!wakes_again || !is_wanted) {
    arm_cooling(step, app, replica);
    // Where it was the last one that `max` allows, a request that came while it was being parked had to wait for its
    // lease.
    return serve_queue(step, app);
  }
  plan_resume(step, replica, replica.purpose, "a request came while it was being parked");
}

void resume_failed(Step& step, App& app, Replica& replica, const std::string& what) {
  move(step, replica, State::Parked, "resume failed: " + what);
  step.world.timers.clear({Alarm::StartMoves, replica.id.value});
  give_back_accelerators(step, replica);
  stop_replica(step, replica,
               {.why = "it could not be resumed (" + what + "); a fresh one is started instead"});
  serve_queue(step, app);
  ensure_minimum(step, app);
}

void park_failed(Step& step, App& app, Replica& replica, const std::string& what) {
  replica.may_park = false;
  replica.is_park_ordered = false;
  decide(step, about(replica), "park", "could not be parked and stays warm: " + what);
  call_off_parking(step, app, replica);
  step.world.leases_moved = true;
}

}  // namespace

void on(Step& step, const model::ReplicaMoved& event) {
  Replica* replica = find_replica(step.world, event.replica);
  if (replica == nullptr) {
    if (event.to == State::Gone) stray_gone(step, event.replica);
    return;
  }
  App& app = step.world.apps.at(replica->app);
  note_address(*replica, event);
  switch (event.to) {
    case State::Fetching:
    case State::Starting:
    case State::Loading:
      return went_up(step, app, *replica, event.to);
    case State::Ready:
      if (replica->state == State::Resuming) return became_ready(step, app, *replica);
      return went_up(step, app, *replica, event.to);
    case State::Parked:
      return became_parked(step, app, *replica);
    case State::Gone:
      return replica_gone(step, *replica,
                          event.exit.value_or(model::Exit{.cause = replica->stop_cause}));
    case State::Planned:
    case State::Parking:
    case State::Resuming:
    case State::Draining:
    case State::Stopping:
      return;  // these are ours to decide
  }
}

void on(Step& step, const model::MoveFailed& event) {
  Replica* replica = find_replica(step.world, event.replica);
  if (replica == nullptr) return;
  App& app = step.world.apps.at(replica->app);
  if (event.tried == State::Parked && replica->state == State::Parking &&
      replica->is_park_ordered) {
    return park_failed(step, app, *replica, event.what);
  }
  if (event.tried == State::Ready && replica->state == State::Resuming) {
    return resume_failed(step, app, *replica, event.what);
  }
}

void on(Step& step, const model::ReplicaProgressed& event) {
  Replica* replica = find_replica(step.world, event.replica);
  if (replica == nullptr || !step.world.timers.is_set({Alarm::StartMoves, event.replica.value}))
    return;
  replica->start_clock.moved(event.progress, step.now);
  if (!event.what.empty()) replica->reason = event.what;
  arm_start(step, *replica);
}

void on_start_stuck(Step& step, Replica& replica) {
  const Duration progress = replica.revision->spec.start.progress;
  const Duration strong = step.now - replica.start_clock.last_strong();
  const std::string doing(to_text(replica.state));
  const std::string why =
      strong > progress + 1s
          ? "nothing but weak signs of life for " + to_words(strong) + " while " + doing
          : "nothing moved for " + to_words(progress) + " while " + doing;
  stop_replica(step, replica, {.cause = model::ExitCause::NoProgress, .why = why, .grace = 0s});
}

void open_replica(Step& step, App& app, Replica& replica) {
  World& world = step.world;
  replica.generation = world.next_generation;
  world.next_generation = (world.next_generation + 1) & 0x7fffffffU;  // 31 bits of the slot word
  step.emit(model::OpenSlots{
      .replica = replica.id, .slot = replica.slot, .generation = replica.generation});
  let_requests_in(step, app, replica);
}

void let_requests_in(Step& step, App& app, Replica& replica) {
  World& world = step.world;
  replica.was_ready = true;
  replica.ready_since = step.now;
  replica.idle_since = std::max(replica.idle_since, step.now);
  replica.free_believed = slots_of(replica);
  replica.closing = Closing::None;
  replica.is_serving = false;
  publish_route(step, app);
  // Ready for a minute clears what is left of the failure budget; without one there is nothing to
  // wait for.
  if (record_at(app, replica.revision->id).budget.failures() > 0) {
    world.timers.set({Alarm::Proven, replica.id.value}, step.now + life::kProvenAfter);
  }
  // All of them: with one more that is ready, `min` may keep another one no longer.
  arm_cooling_of_all(step, app);
  serve_queue(step, app);
}

}  // namespace kelvin::control
