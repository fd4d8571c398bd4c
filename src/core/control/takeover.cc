// takeover: what one platform process hands to the next in an upgrade, and a data plane that leaves.
//
// A replica that was Ready or Draining keeps its slot word, because requests of the process before may run there: the
// word is neither opened afresh nor closed unless the story goes on that way.
#include <algorithm>

#include "core/control/steps.h"

namespace kelvin::control {

using model::State;

namespace {

// Every field of a replica is named, so that one more breaks the build here, where it is decided what becomes of it.
// What is not handed over is found again by the cluster and the store (its app, lease, port and the like), or begins
// afresh as at every start of the platform: how far a start is, what is known of its health, and what was under way.
model::KeptReplica keep(const Replica& replica) {
  const auto& [id, app, revision, purpose, state, lease, slot, generation, port, pid, created,
               state_since, reason, is_adopted, is_metered, lease_turn, in_line_since, reservation,
               is_ordered, ordered_at, start_clock, way, woke_from, was_ready, ready_since,
               idle_since, free_believed, is_serving, is_spare, is_proven, may_park, health,
               closing, cool_to, is_relief, connections_closing, is_park_ordered, wakes_again,
               stop_cause] = replica;
  return {.replica = id,
          .state = state,
          .generation = generation,
          .stop_cause = stop_cause,
          .reason = reason,
          .ready_since = ready_since,
          .idle_since = idle_since};
}

void stop_stray(Step& step, ReplicaId id, Stray& stray) {
  stray.word.reset();
  step.emit(model::StopReplica{.replica = id, .why = stray.reason});
}

}  // namespace

Handed hand_over(const World& world) {
  Handed handed{.lines = world.meter.lines()};
  for (const auto& [id, replica] : world.replicas) handed.replicas.push_back(keep(replica));
  for (const auto& [id, stray] : world.strays) {
    if (!stray.word) continue;
    handed.replicas.push_back({.replica = id,
                               .state = State::Draining,
                               .generation = stray.word->generation,
                               .reason = stray.reason});
  }
  return handed;
}

void on(Step& step, const model::ReplicaKept& event) {
  step.world.kept.insert_or_assign(event.replica.replica, event.replica);
}

void on(Step& step, const model::MeterLineKept& event) { (void)step.world.meter.go_on(event.line); }

const model::KeptReplica* find_kept(const World& world, ReplicaId id) {
  const auto found = world.kept.find(id);
  return found == world.kept.end() ? nullptr : &found->second;
}

bool has_kept_word(const model::KeptReplica* kept) {
  return kept != nullptr && (kept->state == State::Ready || kept->state == State::Draining);
}

void continue_replica(Step& step, Replica& replica, const model::KeptReplica& kept) {
  replica.stop_cause = kept.stop_cause;
  if (kept.state != State::Stopping) {
    replica.generation = kept.generation;
    drain_replica(step, replica, kept.reason);
    if (replica.state == State::Draining && kept.stop_cause == model::ExitCause::Unhealthy) {
      step.world.timers.set({Alarm::DrainEnds, replica.id.value}, step.now + life::kUnwellDrainMax);
    }
    return;
  }
  // It was told so before, but who would have killed it after its grace has ended; how much of that is left is not known.
  replica.state = State::Stopping;
  replica.reason = kept.reason;
  step.world.meter.moved(replica.id, State::Stopping, step.now);
  order_stop(step, replica, StopOrder{}.grace);
}

void keep_cooling(Step& step, Replica& replica, const model::KeptReplica& kept) {
  replica.ready_since = std::min(kept.ready_since, step.now);
  replica.idle_since = std::min(kept.idle_since, step.now);
}

void drain_stray(Step& step, ReplicaId id, Stray& stray) {
  decide(step, {.replica = id}, "drain", stray.reason);
  close_for_stop(step, id, *stray.word);
}

bool stray_drained(Step& step, ReplicaId id) {
  const auto found = step.world.strays.find(id);
  if (found == step.world.strays.end()) return false;
  if (found->second.word) stop_stray(step, id, found->second);
  return true;
}

void forget_kept(Step& step) {
  World& world = step.world;
  for (const model::MeterLine& line : world.meter.lines()) {
    const ReplicaId id = line.facts.replica;
    // Its end fell between the two processes; what it did until then is billed.
    if (!line.is_gone && !world.replicas.contains(id))
      world.meter.gone(id, step.now, meter::Billing::Due);
  }
  world.kept.clear();
}

void on(Step& step, const model::DataPlaneLeft& event) {
  World& world = step.world;
  world.meter.loops_ended(event.first_loop, event.loops);
  for (auto& [id, stray] : world.strays) {
    if (stray.word) close_for_stop(step, id, *stray.word);
  }
  for (auto& [id, replica] : world.replicas) {
    if (replica.state == State::Draining) {
      close_for_stop(step, id, {.slot = replica.slot, .generation = replica.generation});
    } else if (replica.state == State::Ready) {
      // A guess in the right direction: the slot word says which are free when they are tried.
      replica.free_believed = slots_of(replica);
      replica.is_serving = false;
    }
  }
  for (auto& [id, app] : world.apps) serve_queue(step, app);
}

}  // namespace kelvin::control
