// stopping: how a replica ends. One with work is never stopped, except one that no longer answers,
// and that is said.
#include "base/check.h"
#include "core/control/steps.h"
#include "core/words.h"

namespace kelvin::control {

using model::State;

namespace {

// A stop that is not answered is repeated, without grace, after its grace and this long.
constexpr Duration kStopRepeat = 60s;

}  // namespace

void order_stop(Step& step, const Replica& replica, Duration grace) {
  step.world.timers.set({Alarm::StopRepeats, replica.id.value}, step.now + grace + kStopRepeat);
  step.emit(model::StopReplica{
      .replica = replica.id, .cause = replica.stop_cause, .why = replica.reason, .grace = grace});
}

void close_for_stop(Step& step, ReplicaId id, SlotKey key) {
  step.emit(model::CloseSlots{.replica = id,
                              .slot = key.slot,
                              .generation = key.generation,
                              .purpose = model::ClosePurpose::Stop,
                              .idle_since = {}});
}

void stop_replica(Step& step, Replica& replica, const StopOrder& order) {
  KELVIN_CHECK(replica.state != State::Ready);
  if (replica.state == State::Stopping || replica.state == State::Gone) return;
  if (replica.state == State::Planned && !replica.is_ordered)
    return give_up_plan(step, replica, order.why);
  World& world = step.world;
  if (replica.lease_turn) {
    world.lease_queue.erase(*replica.lease_turn);
    replica.lease_turn.reset();
    world.leases_moved = true;
  }
  // A start that was ordered may be under way, whatever has been heard of it.
  if (replica.state == State::Planned) move(step, replica, State::Starting, "");
  move(step, replica, State::Stopping, order.why);
  replica.stop_cause = order.cause;
  for (const Alarm alarm : {Alarm::StartMoves, Alarm::Cool, Alarm::DrainEnds, Alarm::Proven}) {
    world.timers.clear({alarm, replica.id.value});
  }
  decide(step, about(replica), "stop", order.why);
  order_stop(step, replica, order.grace);
}

void drain_replica(Step& step, Replica& replica, const std::string& why) {
  KELVIN_CHECK(replica.state == State::Ready);
  move(step, replica, State::Draining, why);
  if (std::exchange(replica.closing, Closing::None) == Closing::Relief)
    step.world.leases_moved = true;
  step.world.timers.clear({Alarm::Cool, replica.id.value});
  step.world.timers.clear({Alarm::Proven, replica.id.value});
  decide(step, about(replica), "drain", why);
  close_for_stop(step, replica.id, {.slot = replica.slot, .generation = replica.generation});
  publish_route(step, step.world.apps.at(replica.app));
}

void retire_replica(Step& step, Replica& replica, const std::string& why) {
  switch (replica.state) {
    case State::Ready:
      return drain_replica(step, replica, why);
    case State::Draining:
    case State::Stopping:
    case State::Gone:
      return;
    case State::Planned:
    case State::Fetching:
    case State::Starting:
    case State::Loading:
    case State::Parking:
    case State::Parked:
    case State::Resuming:
      return stop_replica(step, replica, {.why = why});
  }
}

void on_drain_over(Step& step, Replica& replica) {
  if (replica.state != State::Draining) return;
  stop_replica(
      step, replica,
      {.cause = model::ExitCause::Unhealthy,
       .why = replica.reason + "; killed with work in flight because it did not finish within " +
              to_words(life::kUnwellDrainMax),
       .grace = 2s});
}

void on_stop_overdue(Step& step, Replica& replica) {
  if (replica.state != State::Stopping) return;
  decide(step, about(replica), "stop",
         "still there " + to_words(step.now - replica.state_since) +
             " after it was told to stop; killed");
  order_stop(step, replica, 0s);
}

}  // namespace kelvin::control
