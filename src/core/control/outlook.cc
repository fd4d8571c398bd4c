// outlook: how long it will take until a slot is there, for those who are turned away and for those who wait.
#include <algorithm>

#include "core/control/steps.h"

namespace kelvin::control {

using model::State;

namespace {

bool is_coming(const Replica& replica) {
  switch (replica.state) {
    case State::Planned:
    case State::Fetching:
    case State::Starting:
    case State::Loading:
    case State::Resuming:
      return true;
    case State::Parking:
      return replica.wakes_again;
    case State::Parked:
      return replica.lease_turn.has_value();
    case State::Ready:
    case State::Draining:
    case State::Stopping:
    case State::Gone:
      return false;
  }
  return false;
}

// The product with a service time of at most a day fits.
constexpr std::size_t kPlaceMax = 100'000;

std::uint64_t ready_slots(const World& world, const App& app, RevisionId revision) {
  std::uint64_t slots = 0;
  for (const ReplicaId id : app.replicas) {
    const Replica& replica = world.replicas.at(id);
    if (replica.state == State::Ready && replica.revision->id == revision)
      slots += slots_of(replica);
  }
  return slots;
}

bool is_from_parked(const Replica& replica) {
  return replica.state == State::Parking || replica.state == State::Parked ||
         replica.state == State::Resuming;
}

}  // namespace

Duration expected_wake(const World& world, const App& app, RevisionId revision, Instant now) {
  const RevisionRecord& record = record_at(app, revision);
  Duration least = record.wake_cold.value();
  for (const ReplicaId id : app.replicas) {
    const Replica& replica = world.replicas.at(id);
    if (replica.revision->id != revision) continue;
    if (is_parked_and_unwanted(replica)) least = std::min(least, record.wake_parked.value());
    if (!is_coming(replica)) continue;
    const Duration whole =
        is_from_parked(replica) ? record.wake_parked.value() : record.wake_cold.value();
    const Duration passed = replica.is_ordered ? now - replica.ordered_at : Duration(0s);
    least = std::min(least, std::max<Duration>(whole - passed, 1s));
  }
  return least;
}

std::optional<Duration> expected_wait(const World& world, const App& app, std::size_t place,
                                      Instant now) {
  const RevisionId revision = serving_revision(app);
  const std::uint64_t slots = ready_slots(world, app, revision);
  if (slots > 0) {
    const Duration each = app.service.value() / static_cast<std::int64_t>(slots);
    if (each <= 0s) return std::nullopt;
    return each * static_cast<std::int64_t>(std::min(place, kPlaceMax));
  }
  const Replica* coming = find_coming(world, app);
  if (coming == nullptr || !is_coming(*coming) || !coming->is_ordered) return std::nullopt;
  const RevisionRecord& record = record_at(app, coming->revision->id);
  const warmth::WakeEstimates& whole =
      is_from_parked(*coming) ? record.wake_parked : record.wake_cold;
  const Duration rest = whole.on(coming->lease.node) - (now - coming->ordered_at);
  // One that takes longer than usual may take any time.
  if (!whole.is_measured() || rest <= 0s) return std::nullopt;
  return rest;
}

Duration retry_after_of(const Step& step, const App& app, RevisionId revision) {
  const std::uint64_t slots = ready_slots(step.world, app, revision);
  return queue::retry_after(
      {.waiting = app.queue.size(),
       .slots = slots,
       .service_time = app.service.value(),
       .wake_time = slots > 0 ? Duration(0s) : expected_wake(step.world, app, revision, step.now)});
}

}  // namespace kelvin::control
