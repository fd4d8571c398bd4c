// cooling: from warm to parked to cold, one step at a time, and only what has no work.
//
// Whether a replica has work is known to its slot word alone. So when a step is due by what is
// believed here, CloseSlots closes the word on the condition that nothing is in flight and nothing
// was since `idle_since`; where that does not hold it stays open and SlotsClosed says when it was
// last used, from which the next try is computed. An app that is called all the time therefore
// costs one try per holding time, an idle one exactly one.
#include <algorithm>

#include "core/control/steps.h"
#include "core/words.h"

namespace kelvin::control {

using model::State;
using warmth::Tier;

namespace {

Tier tier_of(const Replica& replica) {
  return replica.state == State::Ready ? Tier::Warm : Tier::Parked;
}

std::uint32_t count_live(const World& world, const App& app, RevisionId revision) {
  const Census census = take_census(world, app, revision);
  return census.ready + census.coming + census.parked;
}

// Without it, fewer slots would be free than the app's urgency asks for.
bool keeps_headroom(const Step& step, const App& app, const Replica& replica) {
  const RevisionId revision = replica.revision->id;
  const Census census = take_census(step.world, app, revision);
  const std::uint32_t ready = census.ready - census.closing;
  return ready > 0 && is_serving_revision(app, revision) &&
         lacks_headroom(step, app, revision, ready - 1);
}

// The moment before which a replica may not go cold, for the floor's or the minute's sake; `now`
// where it may. Where it may, the removal is counted.
Instant cold_from(Step& step, App& app, const model::Revision& revision) {
  const std::uint32_t live = count_live(step.world, app, revision.id);
  const std::uint32_t slots = revision.spec.scale.concurrency;
  const double share = share_of(app, revision.id);
  if (live > 0 && live <= scale::floor_replicas(app.load.at(step.now) * share, slots)) {
    return std::max(app.load.falls_to(scale::load_below_floor(live, slots) / share, step.now),
                    step.now + 1ms);
  }
  if (!app.removals.try_remove(live, step.now)) return app.removals.ends();
  return step.now;
}

// When the next step down is due, and for how long nobody may have used the replica by then.
struct Due {
  Instant from;
  Duration idle{};
};

// Of several replicas of a revision the one that was called for least recently decides, see
// warmth::Levels; of the only one its own last use (nothing).
std::optional<std::size_t> level_of(const World& world, const App& app, const Replica& replica) {
  const Census census = take_census(world, app, replica.revision->id);
  const bool is_ready = replica.state == State::Ready;
  const std::uint32_t others = census.ready - census.closing;  // or itself
  const std::uint32_t copies = is_ready ? others : census.ready + census.coming + census.parked;
  const std::uint32_t spare =
      is_ready ? 0 : scale::spare_copies(replica.revision->spec.scale.urgency_milli);
  if (copies <= 1 + spare) return std::nullopt;
  return copies - 1 - spare;
}

Due due_of(const World& world, const App& app, const Replica& replica, const warmth::Step& next) {
  const warmth::Levels& levels = record_at(app, replica.revision->id).levels;
  // An hour of traffic is no evidence for what comes within four.
  const Duration at_idle = std::min(next.at_idle, std::max(levels.known_for(), warmth::kWarmMax));
  const std::optional<std::size_t> level = level_of(world, app, replica);
  if (!level) return {replica.idle_since + at_idle, at_idle};
  const Instant called = levels.last_called(*level) + at_idle;
  return {std::max(replica.idle_since + warmth::kIdleMin, called), warmth::kIdleMin};
}

// "idle for 2 s; waking takes 50 ms (parked) or 10 s (cold), urgency 20".
std::string price_words(const warmth::Terms& terms, Duration idle) {
  return "idle for " + to_words(idle) + "; waking takes " + to_words(terms.wake.parked) +
         " from parked and " + to_words(terms.wake.cold) + " from cold, urgency " +
         milli_words(terms.urgency_milli) + ", " + count_words(terms.accelerators, "accelerator");
}

void begin_parking(Step& step, App& app, Replica& replica) {
  const warmth::Terms terms = terms_of(app, replica);
  const std::string why = "parked after being " + price_words(terms, step.now - replica.idle_since);
  move(step, replica, State::Parking, why);
  replica.is_proven = true;
  replica.is_park_ordered = false;
  replica.wakes_again = false;
  replica.start_clock = life::StartClock(step.now);
  step.world.timers.clear({Alarm::Cool, replica.id.value});
  step.world.timers.set({Alarm::StartMoves, replica.id.value},
                        replica.start_clock.deadline(replica.revision->spec.start.progress));
  decide(step, about(replica), "park", why);
  publish_route(step, app);
  replica.connections_closing += 1;
  step.emit(model::CloseConnections{replica.id});
}

void begin_stopping(Step& step, App& app, Replica& replica) {
  const std::string why =
      "cooled after being " + price_words(terms_of(app, replica), step.now - replica.idle_since);
  replica.is_proven = true;
  move(step, replica, State::Draining, why);
  publish_route(step, app);
  stop_replica(step, replica, {.why = why});
}

void close_refused(Step& step, App& app, Replica& replica, const model::SlotsClosed& event) {
  const Closing closing = std::exchange(replica.closing, Closing::None);
  replica.is_serving = event.in_flight > 0;
  replica.idle_since =
      replica.is_serving ? step.now : std::max(replica.idle_since, event.last_used);
  replica.is_relief = false;
  if (closing == Closing::Relief) step.world.leases_moved = true;
  if (closing == Closing::Asked) {
    decide(step, about(replica), "park",
           "not parked: it has " + count_words(event.in_flight, "request") + " in flight");
  }
  if (closing == Closing::Cool && replica.cool_to == Tier::Cold) app.removals.take_back();
  arm_cooling(step, app, replica);
}

// Nothing is in flight and yet requests wait: word of the slots that came free is still on its way.
void open_again(Step& step, App& app, Replica& replica) {
  const Closing closing = std::exchange(replica.closing, Closing::None);
  replica.is_relief = false;
  replica.woke_from = model::Temperature::Warm;
  if (closing == Closing::Relief) step.world.leases_moved = true;
  if (closing == Closing::Cool && replica.cool_to == Tier::Cold) app.removals.take_back();
  decide(step, about(replica), "wake", "not cooled: requests wait for its slots");
  open_replica(step, app, replica);
}

}  // namespace

warmth::Terms terms_of(const App& app, const Replica& replica) {
  const RevisionRecord& record = record_at(app, replica.revision->id);
  const model::AppSpec& spec = replica.revision->spec;
  const warmth::WakeEstimates& parked = record.wake_parked;
  const Duration cold = record.wake_cold.value();
  const std::size_t accelerators = replica.lease.accelerators.size();
  return {.wake = {.parked = parked.is_measured() ? parked.on(replica.lease.node)
                                                  : warmth::unmeasured_parked(parked.value(), cold),
                   .cold = cold},
          .accelerators =
              accelerators > 0 ? static_cast<std::uint32_t>(accelerators) : spec.needs[0].count,
          .urgency_milli = spec.scale.urgency_milli,
          .may_park = spec.park == model::ParkRule::Auto && replica.may_park,
          .waiters_milli = record.waiters.milli(parked.value())};
}

std::optional<warmth::Step> next_step_of(const World& world, const App& app,
                                         const Replica& replica) {
  const warmth::Levels& levels = record_at(app, replica.revision->id).levels;
  const std::size_t level = level_of(world, app, replica).value_or(0);
  return warmth::next_step(tier_of(replica), terms_of(app, replica), levels.gaps(level));
}

bool may_cool(const World& world, const App& app, const Replica& replica) {
  if (!is_serving_revision(app, replica.revision->id)) return true;
  std::uint32_t ready = 0;
  for (const ReplicaId id : app.replicas) {
    const Replica& other = world.replicas.at(id);
    // One that is on its way down does not count.
    if (other.state == State::Ready && other.closing == Closing::None &&
        other.revision->id == replica.revision->id)
      ready += 1;
  }
  return ready > least_replicas(app);
}

void arm_cooling(Step& step, const App& app, Replica& replica) {
  const Timers::Key key{Alarm::Cool, replica.id.value};
  step.world.timers.clear(key);
  if (replica.state != State::Ready && !is_parked_and_unwanted(replica)) return;
  if (replica.state == State::Ready && !may_cool(step.world, app, replica)) return;
  const auto next = next_step_of(step.world, app, replica);
  if (next)
    step.world.timers.set(key,
                          std::max(due_of(step.world, app, replica, *next).from, step.now + 1ms));
}

void arm_cooling_of_all(Step& step, const App& app) {
  for (const ReplicaId id : app.replicas) {
    Replica& replica = step.world.replicas.at(id);
    if (replica.state == State::Ready && replica.closing == Closing::None)
      arm_cooling(step, app, replica);
  }
}

// Another one of its revision that is ready, idle and was used earlier.
bool has_longer_idle(const World& world, const App& app, const Replica& replica) {
  return std::any_of(app.replicas.begin(), app.replicas.end(), [&](ReplicaId id) {
    const Replica& other = world.replicas.at(id);
    return other.state == State::Ready && other.closing == Closing::None && !other.is_serving &&
           other.revision->id == replica.revision->id && other.idle_since < replica.idle_since;
  });
}

void on_cooling_due(Step& step, Replica& replica) {
  App& app = step.world.apps.at(replica.app);
  const bool is_ready = replica.state == State::Ready;
  if (replica.closing != Closing::None || (!is_ready && !is_parked_and_unwanted(replica))) return;
  if (is_ready && !may_cool(step.world, app, replica)) return;
  const auto next = next_step_of(step.world, app, replica);
  // What is known about waking or about its last use may have changed since the alarm was set.
  if (!next) return;
  const Due due = due_of(step.world, app, replica, *next);
  if (due.from > step.now) return arm_cooling(step, app, replica);
  if (is_ready &&
      (keeps_headroom(step, app, replica) || has_longer_idle(step.world, app, replica))) {
    return step.world.timers.set({Alarm::Cool, replica.id.value}, step.now + warmth::kIdleMin);
  }
  if (next->to == Tier::Cold) {
    const Instant from = cold_from(step, app, *replica.revision);
    if (from > step.now) return step.world.timers.set({Alarm::Cool, replica.id.value}, from);
  }
  if (is_ready) {
    replica.cool_to = next->to;
    return try_to_cool(step, replica, Closing::Cool, step.now - due.idle);
  }
  stop_replica(step, replica,
               {.why = "cooled after being " +
                       price_words(terms_of(app, replica), step.now - replica.idle_since)});
}

void try_to_cool(Step& step, Replica& replica, Closing closing, Instant idle_since) {
  replica.closing = closing;
  step.emit(model::CloseSlots{.replica = replica.id,
                              .slot = replica.slot,
                              .generation = replica.generation,
                              .purpose = model::ClosePurpose::Park,
                              .idle_since = idle_since});
}

void on(Step& step, const model::SlotsClosed& event) {
  Replica* replica = find_replica(step.world, event.replica);
  if (replica == nullptr) {
    if (event.in_flight == 0) (void)stray_drained(step, event.replica);
    return;
  }
  App& app = step.world.apps.at(replica->app);
  if (replica->state == State::Draining) {
    if (event.is_closed && event.in_flight == 0)
      stop_replica(step, *replica, {.cause = replica->stop_cause, .why = replica->reason});
    return;
  }
  if (replica->state != State::Ready || replica->closing == Closing::None) return;
  if (!event.is_closed) return close_refused(step, app, *replica, event);
  if (would_serve(step.world, app, *replica)) return open_again(step, app, *replica);
  replica->closing = Closing::None;
  replica->is_serving = false;
  if (event.last_used != Instant{}) replica->idle_since = std::min(step.now, event.last_used);
  replica->idle_since = std::max(replica->idle_since, replica->ready_since);
  if (replica->cool_to == Tier::Cold) return begin_stopping(step, app, *replica);
  begin_parking(step, app, *replica);
}

void on(Step& step, const model::SlotsDrained& event) {
  if (stray_drained(step, event.replica)) return;
  Replica* replica = find_replica(step.world, event.replica);
  if (replica == nullptr || replica->state != State::Draining) return;
  stop_replica(step, *replica, {.cause = replica->stop_cause, .why = replica->reason});
}

void on(Step& step, const model::ConnectionsClosed& event) {
  Replica* replica = find_replica(step.world, event.replica);
  if (replica == nullptr || replica->connections_closing == 0) return;
  replica->connections_closing -= 1;
  if (replica->connections_closing > 0 || replica->state != State::Parking ||
      replica->is_park_ordered)
    return;
  replica->is_park_ordered = true;
  step.emit(model::ParkReplica{replica->id});
}

void call_off_parking(Step& step, App& app, Replica& replica) {
  replica.is_relief = false;
  move(step, replica, State::Ready, "needed again before it was parked");
  replica.wakes_again = false;
  replica.woke_from = model::Temperature::Warm;
  step.world.timers.clear({Alarm::StartMoves, replica.id.value});
  decide(step, about(replica), "wake", replica.reason);
  open_replica(step, app, replica);
}

}  // namespace kelvin::control
