// capacity: how many replicas an app has, from what waits, what `min` asks for and what the average
// load calls for.
#include <algorithm>
#include <cmath>

#include "core/control/steps.h"
#include "core/words.h"

namespace kelvin::control {

using model::State;

namespace {

// For so long after a report its peak counts as what is in flight.
constexpr Duration kPeakCounts = 1500ms;

// A start or resume that waits for accelerators.
bool is_plan_without_lease(const Replica& replica) {
  if (replica.state == State::Parked) return replica.lease_turn.has_value();
  return replica.state == State::Planned && !replica.is_ordered;
}

// A plan that waits, made for requests, that the requests still waiting do not need.
Replica* find_surplus(World& world, const App& app, RevisionId revision) {
  const std::uint64_t promised = take_census(world, app, revision).promised;
  const std::size_t wanting = count_waiting_for(app, revision).wanting;
  for (auto id = app.replicas.rbegin(); id != app.replicas.rend(); ++id) {
    Replica& replica = world.replicas.at(*id);
    if (!is_plan_without_lease(replica) || replica.purpose != Purpose::Demand) continue;
    if (replica.revision->id != revision || is_waited_for(app, replica)) continue;
    if (wanting == 0 || wanting + slots_of(replica) <= promised) return &replica;
  }
  return nullptr;
}

void give_up_surplus(Step& step, App& app, RevisionId revision) {
  while (Replica* replica = find_surplus(step.world, app, revision)) {
    give_up_plan(step, *replica, "nobody waits for it any more");
  }
}

std::uint32_t room_of(const App& app, const Census& census) {
  const std::uint32_t most = most_replicas(app);
  return most > census.leased ? most - census.leased : 0;
}

// The parked replica that was used last: its memory is most likely still at hand.
Replica* find_parked(World& world, const App& app, RevisionId revision) {
  Replica* best = nullptr;
  for (const ReplicaId id : app.replicas) {
    Replica& replica = world.replicas.at(id);
    if (replica.revision->id != revision || !is_parked_and_unwanted(replica)) continue;
    if (best == nullptr || replica.idle_since > best->idle_since) best = &replica;
  }
  return best;
}

void wake_parked(Step& step, App& app, Replica& replica, const StartPlan& plan) {
  if (replica.state == State::Parked) {
    plan_resume(step, replica, plan.purpose, plan.why);
  } else if (!replica.is_park_ordered && !replica.is_relief) {
    call_off_parking(step, app, replica);
  } else {
    replica.wakes_again = true;
    replica.purpose = plan.purpose;
    decide(step, about(replica), "wake",
           "is being parked and will be resumed at once: " + plan.why);
  }
}

// Why the waiting requests need one more replica; empty where they do not.
std::string why_more(const World& world, const App& app, RevisionId revision) {
  const Census census = take_census(world, app, revision);
  const std::uint32_t slots = record_at(app, revision).revision->spec.scale.concurrency;
  const std::size_t wanting = count_waiting_for(app, revision).wanting;
  const scale::Pressure pressure{.waiting = wanting,
                                 .promised = census.promised,
                                 .live = census.ready + census.coming,
                                 .room = room_of(app, census),
                                 .slots = slots};
  if (scale::starts_needed(pressure) == 0) return {};
  return count_words(wanting, "request") + " waiting, " + count_words(census.promised, "slot") +
         " promised, " + std::to_string(slots) + " slots per replica, " +
         std::to_string(census.leased) + " of at most " + std::to_string(most_replicas(app)) +
         " replicas";
}

bool is_starting(const World& world, const App& app, RevisionId revision) {
  return std::any_of(app.replicas.begin(), app.replicas.end(), [&](ReplicaId id) {
    const Replica& replica = world.replicas.at(id);
    return replica.revision->id == revision && !replica.was_ready &&
           replica.state != State::Stopping;
  });
}

}  // namespace

std::optional<model::Refusal> why_no_start(const Step& step, const App& app, RevisionId revision) {
  const RevisionRecord& record = record_at(app, revision);
  if (app.replicas_max == 0) {
    return model::Refusal{
        .status = 503,
        .code = "max_is_zero",
        .sentence = app.name +
                    " may have no replica: its scale.max is 0; raise it with `kelvin scale " +
                    app.name + " --max 1`",
        .retry_after = {}};
  }
  if (record.budget.is_failing() && step.now < record.budget.next_start()) {
    return failing_refusal(app, record, step.now);
  }
  const place::Wish wish{
      .needs = record.revision->spec.needs, .memory = record.revision->spec.memory, .only = {}};
  if (const auto never = place::why_never(step.world.nodes, wish)) {
    return model::Refusal{.status = 503,
                          .code = "no_accelerator",
                          .sentence = "no node can ever hold a replica of " + app.name + ": " +
                                      *never +
                                      "; change gpu, cpu or memory in its app file, or add a node",
                          .retry_after = {}};
  }
  if (step.world.slots_free.empty()) {
    return model::Refusal{.status = 503,
                          .code = "too_many_replicas",
                          .sentence = "the platform holds " +
                                      count_words(step.world.settings.slots_max, "replica") +
                                      ", its limit; one must go before " + app.name + " can start",
                          .retry_after = 10s};
  }
  return std::nullopt;
}

bool wake_one(Step& step, App& app, const StartPlan& plan) {
  if (Replica* parked = find_parked(step.world, app, plan.revision)) {
    wake_parked(step, app, *parked, plan);
    return true;
  }
  // After back-off a failing app is probed with one start.
  const bool is_probing = record_at(app, plan.revision).budget.is_failing() &&
                          is_starting(step.world, app, plan.revision);
  return !is_probing && plan_start(step, app, plan);
}

bool wake_replica(Step& step, App& app, Replica& replica, const std::string& why) {
  if (!may_start_things(step.world) || !is_parked_and_unwanted(replica)) return false;
  const RevisionId revision = replica.revision->id;
  if (!is_serving_revision(app, revision)) return false;
  // One that is being parked still holds its lease and counts.
  const Census census = take_census(step.world, app, revision);
  const bool has_room = replica.state == State::Parking || room_of(app, census) > 0;
  if (has_room) wake_parked(step, app, replica, {revision, Purpose::Demand, why});
  return has_room;
}

namespace {

void ensure_capacity_of(Step& step, App& app, RevisionId revision) {
  give_up_surplus(step, app, revision);
  if (count_waiting_for(app, revision).wanting == 0) return;
  bool is_refused = app.replicas_max == 0;
  // Counted afresh after each one: a park that is called off serves requests at once.
  for (std::string why = why_more(step.world, app, revision); !why.empty() && !is_refused;
       why = why_more(step.world, app, revision)) {
    is_refused = !wake_one(step, app, {revision, Purpose::Demand, why});
  }
  const Census after = take_census(step.world, app, revision);
  record_at(app, revision).levels.called(after.ready + after.coming, {step.now, step.now});
  if (!is_refused || after.ready + after.coming > 0) return;
  if (const auto refusal = why_no_start(step, app, revision))
    refuse_waiting_for(step, app, revision, *refusal);
}

// A plan that was made for more replicas than are to be kept, and that nobody waits for.
void give_up_minimum(Step& step, App& app, RevisionId revision, std::uint32_t least) {
  if (count_waiting_for(app, revision).wanting > 0) return;
  const Census census = take_census(step.world, app, revision);
  std::uint32_t kept = census.ready + census.coming;
  const std::set<ReplicaId> all = app.replicas;
  for (auto id = all.rbegin(); id != all.rend() && kept > least; ++id) {
    Replica& replica = step.world.replicas.at(*id);
    if (replica.revision->id != revision || replica.purpose != Purpose::Minimum) continue;
    if (!is_plan_without_lease(replica)) continue;
    give_up_plan(step, replica, "not kept any more: " + least_words(app));
    kept -= 1;
  }
}

void ensure_minimum_of(Step& step, App& app, RevisionId revision) {
  const std::uint32_t least = std::min(least_replicas(app), most_replicas(app));
  give_up_minimum(step, app, revision, least);
  for (std::uint32_t i = 0; i < least; ++i) {
    const Census census = take_census(step.world, app, revision);
    if (census.ready + census.coming >= least || room_of(app, census) == 0) return;
    const std::string why = least_words(app) + "; " + std::to_string(census.ready + census.coming) +
                            " ready or on the way";
    if (wake_one(step, app, {revision, Purpose::Minimum, why})) continue;
    const Instant retry = record_at(app, revision).budget.next_start();
    if (retry > step.now) step.world.timers.set({Alarm::Retry, app.id.value}, retry);
    return;
  }
}

// What is in flight now, and thus what a parked copy may have to be there for.
double recent_load(const Step& step, const App& app, RevisionId id) {
  return app.recent.at(step.now) * share_of(app, id);
}

// The replicas, warm or parked, that the floor and the spare copies call for, with the reason.
StartPlan plan_copies(const Step& step, const App& app, RevisionId id, std::uint32_t live) {
  const model::Revision& revision = *record_at(app, id).revision;
  const double load = app.load.at(step.now) * share_of(app, id);
  const std::uint32_t floor = scale::floor_replicas(load, revision.spec.scale.concurrency);
  const auto live_words = [live] { return ", " + std::to_string(live) + " live"; };
  if (live < floor) {
    return {id, Purpose::Floor,
            milli_words(static_cast<std::int64_t>(load * 1000)) +
                " requests in flight on average call for " + count_words(floor, "replica") +
                live_words()};
  }
  const std::uint32_t spare = revision.spec.park == model::ParkRule::Auto
                                  ? scale::spare_copies(revision.spec.scale.urgency_milli)
                                  : 0;
  const std::uint32_t used =
      scale::replicas_for(recent_load(step, app, id), revision.spec.scale.concurrency);
  if (spare == 0 || used == 0 || live >= used + spare) return {};
  return {id, Purpose::Floor,
          count_words(used, "replica") + " in use, and urgency " +
              milli_words(revision.spec.scale.urgency_milli) + " keeps " +
              count_words(spare, "copy") + " at hand for a burst" + live_words()};
}

void ensure_floor_of(Step& step, App& app, RevisionId id) {
  const RevisionRecord& record = record_at(app, id);
  const Census census = take_census(step.world, app, id);
  if (room_of(app, census) == 0 || record.budget.failures() > 0) return;
  const StartPlan plan = plan_copies(step, app, id, census.ready + census.coming + census.parked);
  if (!plan.revision) return;
  const model::AppSpec& spec = record.revision->spec;
  const place::Wish wish{.needs = spec.needs, .memory = spec.memory, .only = {}};
  if (place::pick_place(step.world.nodes, wish)) plan_start(step, app, plan);
}

// A parked copy is resumed before somebody has to wait for it.
void ensure_headroom_of(Step& step, App& app, RevisionId id) {
  const Census census = take_census(step.world, app, id);
  // Where none is ready the last report tells of work that is over.
  if (census.ready == 0) return;
  if (census.parked == 0 || census.coming > 0 || room_of(app, census) == 0) return;
  if (!lacks_headroom(step, app, id, census.ready)) return;
  const model::Revision& revision = *record_at(app, id).revision;
  wake_one(step, app,
           {id, Purpose::Floor,
            milli_words(static_cast<std::int64_t>(recent_load(step, app, id) * 1000)) +
                " requests in flight leave fewer than " +
                count_words(scale::headroom_slots(revision.spec.scale.urgency_milli), "slot") +
                " free on " + count_words(census.ready, "replica")});
}

}  // namespace

void ensure_capacity(Step& step, App& app) {
  if (!may_start_things(step.world) || app.is_deleted) return;
  for (const RevisionId revision : serving_revisions(app)) ensure_capacity_of(step, app, revision);
}

void ensure_minimum(Step& step, App& app) {
  if (!may_start_things(step.world) || app.is_deleted) return;
  for (const RevisionId revision : serving_revisions(app)) ensure_minimum_of(step, app, revision);
}

void ensure_floor(Step& step, App& app) {
  // Only out of what is free and asked for by nobody: the floor is a guess, a waiting request is a
  // fact.
  if (!may_start_things(step.world) || app.is_deleted || !step.world.lease_queue.empty()) return;
  for (const RevisionId revision : serving_revisions(app)) {
    ensure_floor_of(step, app, revision);
    ensure_headroom_of(step, app, revision);
  }
}

void note_peak(Step& step, RevisionId id, const WorkPeak& work) {
  App& app = step.world.apps.at(step.world.app_of_revision.at(id));
  RevisionRecord& record = record_at(app, id);
  record.peak = {work.requests, step.now};
  // Every loop reports its own; together they are about what is in flight on average.
  const double most = std::max(static_cast<double>(work.requests), recent_load(step, app, id));
  record.levels.called(scale::replicas_for(most, record.revision->spec.scale.concurrency),
                       work.span);
}

bool lacks_headroom(const Step& step, const App& app, RevisionId id, std::uint32_t ready) {
  const RevisionRecord& record = record_at(app, id);
  const model::ScaleRule& scale = record.revision->spec.scale;
  const std::uint32_t headroom = scale::headroom_slots(scale.urgency_milli);
  if (headroom == 0) return false;
  // Less than half a request is what is left of one that has ended.
  double used = std::round(recent_load(step, app, id));
  if (step.now - record.peak.at < kPeakCounts)
    used = std::max(used, static_cast<double>(record.peak.requests));
  const double slots = static_cast<double>(ready) * std::max(scale.concurrency, 1U);
  return used > 0 && slots - used < headroom;
}

}  // namespace kelvin::control
