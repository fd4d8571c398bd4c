#include "core/control/control.h"

#include <algorithm>
#include <type_traits>
#include <variant>

#include "core/control/steps.h"

namespace kelvin::control {

namespace {

// Outcomes of effects that arrive before anything else happens. While they come, a Handover may
// still be refused; with the next event from outside it is certain.
template <class Fact>
constexpr bool kIsOutcome =
    std::is_same_v<Fact, model::HandoverRefused> || std::is_same_v<Fact, model::SlotsClosed>;

void ring_replica(Step& step, Alarm alarm, ReplicaId id) {
  Replica* replica = find_replica(step.world, id);
  if (replica == nullptr) return;
  switch (alarm) {
    case Alarm::StartMoves:
      return on_start_stuck(step, *replica);
    case Alarm::PlanDue:
      return on_plan_due(step, *replica);
    case Alarm::Cool:
      return on_cooling_due(step, *replica);
    case Alarm::DrainEnds:
      return on_drain_over(step, *replica);
    case Alarm::StopRepeats:
      return on_stop_overdue(step, *replica);
    case Alarm::Proven:
      return on_proven(step, *replica);
    case Alarm::QueueWait:
    case Alarm::Retry:
    case Alarm::RolloutStep:
    case Alarm::Placement:
      return;
  }
}

void ring(Step& step, Timers::Key key) {
  App* app = find_app(step.world, AppId{key.subject});
  switch (key.alarm) {
    case Alarm::QueueWait:
      if (app != nullptr) on_queue_wait_over(step, *app);
      return;
    case Alarm::Retry:
      if (app != nullptr) on_retry_due(step, *app);
      return;
    case Alarm::RolloutStep:
      if (app != nullptr) on_rollout_step_due(step, *app);
      return;
    case Alarm::Placement:
      step.world.leases_moved = true;
      return;
    case Alarm::StartMoves:
    case Alarm::PlanDue:
    case Alarm::Cool:
    case Alarm::DrainEnds:
    case Alarm::StopRepeats:
    case Alarm::Proven:
      return ring_replica(step, key.alarm, ReplicaId{key.subject});
  }
}

}  // namespace

void WorldDeleter::operator()(World* world) const noexcept { delete world; }

WorldPtr make_world(const Settings& settings) { return WorldPtr(new World(settings)); }

model::Effects step(World& world, const model::Event& event, Instant now) noexcept {
  Step step{.world = world, .now = now, .effects = {}};
  // By type: among so many kinds, clang looks for one at run time where std::holds_alternative asks.
  const auto take_in = [&]<class Fact>(const Fact& fact) {
    if (!kIsOutcome<Fact>) world.offered.clear();
    on(step, fact);
  };
  std::visit(take_in, event);
  settle_leases(step);
  collect_usage(step);
  return std::move(step.effects);
}

void on(Step& step, const model::Tick& /*event*/) {
  for (const Timers::Key key : step.world.timers.take_due(step.now)) ring(step, key);
}

Instant next_deadline(const World& world) {
  return std::min(world.timers.next(), world.meter.next_due());
}

bool is_at_rest(const World& world) {
  return world.replicas.empty() && world.meter.replicas() == 0;
}

}  // namespace kelvin::control
