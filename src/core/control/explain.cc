// explain: what happens to a replica next, and what keeps an app's replicas warm. What was decided before is in the
// decision log; this is about what is still to come, with the moment at which it does.
#include <algorithm>

#include "core/control/steps.h"
#include "core/words.h"

namespace kelvin::control {

using model::State;
using warmth::Tier;

namespace {

std::string wake_words(const warmth::Terms& terms) {
  return "waking takes " + to_words(terms.wake.parked) + " from parked and " +
         to_words(terms.wake.cold) + " from cold, urgency " + milli_words(terms.urgency_milli);
}

// One that waits for its turn or for accelerators; its reason says for which.
Outlook of_plan(const World& world, const Replica& replica) {
  if (const auto due = world.timers.find({Alarm::PlanDue, replica.id.value}))
    return {"it may be placed then", *due};
  return {replica.state == State::Parked ? "it resumes once it has accelerators"
                                         : "it starts once it has accelerators",
          Instant::never()};
}

Outlook of_way_up(const World& world, const Replica& replica) {
  const auto due = world.timers.find({Alarm::StartMoves, replica.id.value});
  return {"it is given up then unless something moves: start.progress is " +
              to_words(replica.revision->spec.start.progress),
          due.value_or(Instant::never())};
}

Outlook of_idle(const World& world, const App& app, const Replica& replica) {
  const auto due = world.timers.find({Alarm::Cool, replica.id.value});
  const warmth::Terms terms = terms_of(app, replica);
  const auto step = next_step_of(world, app, replica);
  if (!due || !step) return {"it stays as it is", Instant::never()};
  const std::string what = step->to == Tier::Parked ? "parked" : "stopped";
  return {"it is " + what + " then unless a request comes: " + wake_words(terms) +
              ", so holding it for longer than " + to_words(step->at_idle) +
              " without a request costs more",
          *due};
}

Outlook of_ready(const World& world, const App& app, const Replica& replica) {
  if (replica.closing != Closing::None)
    return {"it cools at once unless a request comes", Instant::never()};
  if (!may_cool(world, app, replica))
    return {"it stays warm: " + least_words(app), Instant::never()};
  return of_idle(world, app, replica);
}

Outlook of_draining(const World& world, const Replica& replica) {
  const auto due = world.timers.find({Alarm::DrainEnds, replica.id.value});
  if (due) return {"it is killed then if it still has work", *due};
  return {"it stops when its last request has ended", Instant::never()};
}

Outlook of_stopping(const World& world, const Replica& replica) {
  const auto due = world.timers.find({Alarm::StopRepeats, replica.id.value});
  return {"it is killed then if it is still there", due.value_or(Instant::never())};
}

}  // namespace

Outlook outlook_of(const World& world, const App& app, const Replica& replica) {
  switch (replica.state) {
    case State::Planned:
      return replica.is_ordered ? of_way_up(world, replica) : of_plan(world, replica);
    case State::Fetching:
    case State::Starting:
    case State::Loading:
    case State::Parking:
    case State::Resuming:
      return of_way_up(world, replica);
    case State::Ready:
      return of_ready(world, app, replica);
    case State::Parked:
      return replica.lease_turn ? of_plan(world, replica) : of_idle(world, app, replica);
    case State::Draining:
      return of_draining(world, replica);
    case State::Stopping:
      return of_stopping(world, replica);
    case State::Gone:
      return {};
  }
  return {};
}

std::string keeps_words(const App& app) {
  std::string words = least_words(app);
  for (const RevisionId id : serving_revisions(app)) {
    // As of the last report of work: an app that nobody calls is not looked at.
    const double load = app.load.at(Instant{}) * share_of(app, id);
    const model::Revision& revision = *record_at(app, id).revision;
    const std::uint32_t floor = scale::floor_replicas(load, revision.spec.scale.concurrency);
    if (floor == 0) continue;
    words += "; " + milli_words(static_cast<std::int64_t>(load * 1000)) +
             " requests in flight on average, when last measured, called for " +
             count_words(floor, "replica") + " of revision " + std::to_string(revision.number);
  }
  return words;
}

}  // namespace kelvin::control
