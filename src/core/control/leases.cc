// leases: from the plan of a replica to its accelerators.
//
// Everybody who needs accelerators stands in one line, the lease queue, in order of their plans.
// When something was given back or planned, settle_leases walks down the line with two pictures of
// the nodes: `open` is what is free and nobody before in the line has a claim on; `future` is that
// plus what is already on its way back (replicas being parked or stopped). Each one in the line, in
// turn:
//
//   1. takes accelerators out of `open`, if they suffice: it starts;
//   2. else claims them in `future`: it waits, and nobody behind it can take them away;
//   3. else has idle replicas cooled (place/pressure.h) and claims what they will give back;
//   4. else, where it is parked and another node could hold a fresh one, stays parked and a start is
//      planned in its place;
//   5. else waits, and says for what. When an idle replica has not been idle for long enough, or a
//      busy one may become idle, an alarm brings everybody back here.
#include <algorithm>

#include "base/check.h"
#include "core/control/steps.h"
#include "core/place/pressure.h"
#include "core/words.h"
#include "model/ids.h"

namespace kelvin::control {

using model::State;

namespace {

// Each pass gives something up, so that few are needed; a bound in case that is ever untrue.
constexpr int kPassesMax = 4;

struct Picture {
  place::Nodes open;
  place::Nodes future;
  Instant look_again = Instant::never();
};

bool is_going(const Replica& replica) {
  return replica.state == State::Parking || replica.state == State::Stopping ||
         replica.closing == Closing::Relief;
}

Picture take_picture(const World& world) {
  Picture picture{.open = world.nodes, .future = world.nodes};
  for (const auto& [id, replica] : world.replicas) {
    if (!is_going(replica) || !replica.lease.node) continue;
    model::Lease back = replica.lease;
    const bool is_memory_back =
        replica.state == State::Stopping || replica.cool_to == warmth::Tier::Cold;
    if (!is_memory_back) back.memory = {};
    place::give_back(picture.future.at(back.node), back);
  }
  return picture;
}

// What this replica waits for. A parked one has its memory and must come back where it is.
struct Wanted {
  std::vector<model::AcceleratorNeed> needs;
  Bytes memory;
  NodeId only;
  [[nodiscard]] place::Wish wish() const {
    return {.needs = needs, .memory = memory, .only = only};
  }
};

Wanted wanted_by(const Replica& replica) {
  const model::AppSpec& spec = replica.revision->spec;
  if (replica.state == State::Planned)
    return {.needs = spec.needs, .memory = spec.memory, .only = {}};
  const auto same_kind = [&](const model::AcceleratorNeed& need) {
    return need.kind == replica.lease.kind || need.kind == "any";
  };
  const auto need = std::find_if(spec.needs.begin(), spec.needs.end(), same_kind);
  const std::uint32_t count = need == spec.needs.end() ? 1 : need->count;
  return {.needs = {{.kind = replica.lease.kind, .count = count, .memory_each = {}}},
          .memory = {},
          .only = replica.lease.node};
}

// With a fixed port there can be only one, of whatever revision.
bool must_wait_for_port(const World& world, const App& app, const Replica& replica) {
  if (replica.revision->spec.fixed_port == 0 || replica.state != State::Planned) return false;
  return std::any_of(app.replicas.begin(), app.replicas.end(), [&](ReplicaId id) {
    const Replica& other = world.replicas.at(id);
    return id != replica.id && (other.state != State::Planned || other.is_ordered);
  });
}

void order_start(Step& step, const App& app, Replica& replica) {
  replica.is_ordered = true;
  replica.ordered_at = step.now;
  replica.start_clock = life::StartClock(step.now);
  replica.reason = "start ordered";
  step.world.timers.set({Alarm::StartMoves, replica.id.value},
                        replica.start_clock.deadline(replica.revision->spec.start.progress));
  begin_metering(step, app, replica, 0);
  step.emit(model::StartReplica{.replica = replica.id,
                                .revision = replica.revision,
                                .lease = replica.lease,
                                .slot = replica.slot});
}

void order_resume(Step& step, Replica& replica) {
  replica.way.clear();
  move(step, replica, State::Resuming, "resumed for " + replica.reason);
  replica.ordered_at = step.now;
  replica.start_clock = life::StartClock(step.now);
  step.world.timers.set({Alarm::StartMoves, replica.id.value},
                        replica.start_clock.deadline(replica.revision->spec.start.progress));
  step.world.timers.clear({Alarm::Cool, replica.id.value});
  step.emit(model::ResumeReplica{replica.id});
}

void grant(Step& step, Replica& replica, model::Lease lease) {
  World& world = step.world;
  place::NodeLoad& node = world.nodes.at(lease.node);
  place::take(node, lease);
  world.lease_queue.erase(*replica.lease_turn);
  replica.lease_turn.reset();
  std::string where = node.node.name + ", " + lease.kind;
  for (const std::uint32_t index : lease.accelerators) where += " " + std::to_string(index);
  decide(step, about(replica), "place", "placed on " + where + ": the fullest node that fits");
  if (replica.state == State::Planned) {
    replica.lease = std::move(lease);
    order_start(step, world.apps.at(replica.app), replica);
  } else {
    replica.lease.accelerators = std::move(lease.accelerators);
    order_resume(step, replica);
  }
}

// Marks `lease` as spoken for: nobody behind in the line may have any of it.
void claim(Picture& picture, const model::Lease& lease) {
  place::take(picture.future.at(lease.node), lease);
  place::NodeLoad& open = picture.open.at(lease.node);
  for (const std::uint32_t index : lease.accelerators) open.taken[lease.kind].insert(index);
  open.claimed = open.claimed + lease.memory;
}

// --- pressure ------------------------------------------------------------------------------------

// When this replica may be a victim: `now` or earlier where it may be at once, never() where it may
// not.
Instant victim_from(const World& world, const Replica& replica, const Replica& waiting,
                    Instant now) {
  if (replica.app == waiting.app || replica.closing != Closing::None) return Instant::never();
  const App* app = find_app(world, replica.app);
  if (app == nullptr) return Instant::never();
  if (replica.state == State::Parked) return replica.lease_turn ? Instant::never() : now;
  if (replica.state != State::Ready || !may_cool(world, *app, replica)) return Instant::never();
  // Reports of work move `idle_since` on; should none come, the slot word is asked in the end.
  return std::max(replica.idle_since, replica.ready_since) + warmth::kIdleMin;
}

place::Candidate candidate_of(const World& world, const Replica& replica, Instant now) {
  const warmth::Terms terms = terms_of(*find_app(world, replica.app), replica);
  const Duration idle = now - replica.idle_since;
  const bool may_park = terms.may_park && replica.state == State::Ready;
  const std::int64_t stop_loss = loss_of_cooling(warmth::Tier::Cold, terms, idle);
  return {.replica = replica.id,
          .node = replica.lease.node,
          .kind = replica.lease.kind,
          .accelerators = static_cast<std::uint32_t>(replica.lease.accelerators.size()),
          .memory = replica.lease.memory,
          .may_park = may_park,
          .park_loss = may_park
                           ? std::min(loss_of_cooling(warmth::Tier::Parked, terms, idle), stop_loss)
                           : 0,
          .stop_loss = stop_loss};
}

std::vector<place::Candidate> find_candidates(const Step& step, const Replica& waiting,
                                              Picture& picture) {
  std::vector<place::Candidate> candidates;
  for (const auto& [id, replica] : step.world.replicas) {
    const Instant from = victim_from(step.world, replica, waiting, step.now);
    if (from <= step.now) {
      candidates.push_back(candidate_of(step.world, replica, step.now));
    } else {
      picture.look_again = std::min(picture.look_again, from);
    }
  }
  return candidates;
}

void cool_victim(Step& step, Picture& picture, const place::Victim& victim,
                 const Replica& waiting) {
  Replica& replica = step.world.replicas.at(victim.replica);
  const bool is_stop = victim.relief == place::Relief::Stop;
  model::Lease back = replica.lease;
  if (!is_stop) back.memory = {};
  place::give_back(picture.future.at(back.node), back);
  const std::string for_whom = step.world.apps.at(waiting.app).name + " waits for what it holds";
  decide(step, about(replica), "evict",
         (is_stop ? "stopped because " : "parked because ") + for_whom + "; idle for " +
             to_words(step.now - replica.idle_since) + ", its loss is the smallest");
  replica.is_relief = true;
  if (replica.state == State::Parked) {
    stop_replica(step, replica, {.why = for_whom});
    return;
  }
  replica.cool_to = is_stop ? warmth::Tier::Cold : warmth::Tier::Parked;
  try_to_cool(step, replica, Closing::Relief, step.now - warmth::kIdleMin);
}

// True when `future` has room for the wish afterwards.
bool relieve(Step& step, Picture& picture, const Replica& waiting, const place::Wish& wish) {
  const auto candidates = find_candidates(step, waiting, picture);
  const auto victims = place::pick_victims(picture.future, wish, candidates);
  for (const place::Victim& victim : victims) cool_victim(step, picture, victim, waiting);
  return !victims.empty();
}

void keep_waiting(Step& step, Replica& replica, const std::string& why) {
  if (replica.reason == why) return;
  replica.reason = why;
  decide(step, about(replica), "wait", why);
}

// A parked replica can only come back on its own node. What fills that node may stay for ever, such
// as replicas that `min` keeps warm, so where another node has room, or can be given room, a cold
// start is planned instead.
bool start_elsewhere(Step& step, Picture& picture, App& app, Replica& replica) {
  if (replica.state != State::Parked) return false;
  const RevisionId revision = replica.revision->id;
  if (why_no_start(step, app, revision)) return false;
  const model::AppSpec& spec = replica.revision->spec;
  const place::Wish wish{.needs = spec.needs, .memory = spec.memory, .only = {}};
  const bool has_place = place::pick_place(picture.future, wish).lease.has_value();
  if (!has_place) {
    const auto candidates = find_candidates(step, replica, picture);
    if (place::pick_victims(picture.future, wish, candidates).empty()) return false;
  }
  const Purpose purpose = replica.purpose;
  const std::string why = "its node has no room for it, and another has";
  give_up_plan(step, replica, why);
  return plan_start(
      step, app,
      {.revision = revision,
       .purpose = purpose,
       .why = "the parked " + model::to_text(replica.id) + " cannot come back: " + why});
}

// The five cases at the top of this file. The replica may be gone afterwards.
void settle_one(Step& step, Picture& picture, Replica& replica) {
  App& app = step.world.apps.at(replica.app);
  if (must_wait_for_port(step.world, app, replica)) {
    keep_waiting(step, replica, "waits until the replica before it has given back the fixed port");
    return;
  }
  const Wanted wanted = wanted_by(replica);
  place::Answer answer = place::pick_place(picture.open, wanted.wish());
  if (answer.lease) {
    place::take(picture.open.at(answer.lease->node), *answer.lease);
    place::take(picture.future.at(answer.lease->node), *answer.lease);
    grant(step, replica, std::move(*answer.lease));
    return;
  }
  if (replica.purpose == Purpose::Floor)
    return give_up_plan(step, replica, "nothing is free for a guess");
  std::string refusal = std::move(answer.refusal);
  answer = place::pick_place(picture.future, wanted.wish());
  if (!answer.lease && relieve(step, picture, replica, wanted.wish())) {
    answer = place::pick_place(picture.future, wanted.wish());
  }
  if (answer.lease) {
    claim(picture, *answer.lease);
    keep_waiting(step, replica, "waits for accelerators that are being given back: " + refusal);
  } else if (!start_elsewhere(step, picture, app, replica)) {
    keep_waiting(step, replica, "waits for accelerators: " + refusal);
    if (replica.purpose == Purpose::Rollout) make_way(step, app, picture.future, wanted.wish());
  }
}

// One pass down the line.
void walk_line(Step& step) {
  World& world = step.world;
  world.leases_moved = false;
  world.timers.clear({Alarm::Placement, 0});
  if (world.lease_queue.empty() || !may_start_things(world)) return;
  Picture picture = take_picture(world);
  const std::map<std::uint64_t, ReplicaId> line = world.lease_queue;
  for (const auto& [turn, id] : line) {
    Replica* replica = find_replica(world, id);
    if (replica != nullptr && replica->lease_turn == turn) settle_one(step, picture, *replica);
  }
  world.timers.set({Alarm::Placement, 0}, picture.look_again);
}

void join_lease_queue(Step& step, Replica& replica) {
  World& world = step.world;
  replica.lease_turn = world.lease_turns++;
  world.lease_queue.emplace(*replica.lease_turn, replica.id);
  world.leases_moved = true;
}

// The storm limit and the back-off, whichever is later, with its words; empty where it may start at
// once.
std::string why_later(Step& step, const App& app, const RevisionRecord& record, Instant& from) {
  const auto bucket =
      step.world.start_buckets.try_emplace(app.workspace, scale::TokenBucket::Rate{}).first;
  const scale::TokenBucket::Rate rate = bucket->second.rate();
  const Instant token = bucket->second.reserve(step.now);
  const Instant backoff = record.budget.next_start();
  from = std::max({token, backoff, step.now});
  if (from == step.now) return {};
  const std::string delay = to_words(from - step.now);
  if (backoff >= token) {
    return "starts in " + delay + ": back-off after " +
           count_words(record.budget.failures(), "failed start");
  }
  return "starts in " + delay + ": the workspace has used its burst of " +
         std::to_string(rate.burst) + " starts, " + std::to_string(rate.per_second) +
         " a second follow";
}

}  // namespace

bool plan_start(Step& step, App& app, const StartPlan& plan) {
  World& world = step.world;
  if (const auto refusal = why_no_start(step, app, plan.revision)) {
    // Said once: the sentence counts seconds, and would be another one every time.
    if (app.trouble.empty()) decide(step, about(app), "refuse", refusal->sentence);
    app.trouble = refusal->sentence;
    return false;
  }
  app.trouble.clear();
  RevisionRecord& record = record_at(app, plan.revision);
  const ReplicaId id = model::make_replica_id(world.settings.epoch, ++world.replicas_made);
  Replica& replica = world.replicas.emplace(id, Replica{}).first->second;
  replica.id = id;
  replica.app = app.id;
  replica.revision = record.revision;
  replica.purpose = plan.purpose;
  replica.slot = *world.slots_free.begin();
  replica.created = replica.state_since = replica.idle_since = step.now;
  replica.way.push_back({State::Planned, step.now});
  replica.reason = "planned: " + plan.why;
  world.slots_free.erase(world.slots_free.begin());
  app.replicas.insert(id);
  decide(step, about(replica), "start", "starts because: " + plan.why);
  Instant from;
  const std::string later = why_later(step, app, record, from);
  if (later.empty()) {
    join_lease_queue(step, replica);
  } else {
    world.timers.set({Alarm::PlanDue, id.value}, from);
    keep_waiting(step, replica, later);
  }
  return true;
}

void plan_resume(Step& step, Replica& replica, Purpose purpose, const std::string& why) {
  KELVIN_CHECK(replica.state == State::Parked && !replica.lease_turn);
  replica.purpose = purpose;
  replica.reason = why;
  step.world.timers.clear({Alarm::Cool, replica.id.value});
  decide(step, about(replica), "resume", "resumes because: " + why);
  join_lease_queue(step, replica);
}

void give_up_plan(Step& step, Replica& replica, const std::string& why) {
  decide(step, about(replica), "give_up", "given up before it had accelerators: " + why);
  if (replica.state == State::Planned) {
    KELVIN_CHECK(!replica.is_ordered);
    forget_replica(step, replica);
    return;
  }
  step.world.lease_queue.erase(*replica.lease_turn);
  replica.lease_turn.reset();
  step.world.leases_moved = true;
  replica.reason = why;
  arm_cooling(step, step.world.apps.at(replica.app), replica);
}

void on_plan_due(Step& step, Replica& replica) {
  if (replica.state == State::Planned && !replica.is_ordered && !replica.lease_turn)
    join_lease_queue(step, replica);
}

void settle_leases(Step& step) {
  // Whoever is given up or makes way on the first pass may let others through on the second.
  for (int pass = 0; pass < kPassesMax && step.world.leases_moved; ++pass) walk_line(step);
}

void on(Step& step, const model::NodeChanged& event) {
  place::NodeLoad& load = step.world.nodes[event.node.id];
  load.node = event.node;
  step.world.leases_moved = true;
  for (auto& [id, app] : step.world.apps) {
    if (!app.trouble.empty()) ensure_minimum(step, app);
  }
}

}  // namespace kelvin::control
