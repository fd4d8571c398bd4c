// leases: from the plan of a replica to its accelerators.
//
// Everybody who needs accelerators stands in one line, the lease queue, in order of their plans.
// When something was given back, settle_leases walks down the line with two pictures of the nodes:
// `open` is what is free and nobody before in the line has a claim on; `future` is that plus what is
// already on its way back (replicas being parked or stopped). Whoever joins the line finds both as
// they were left, so that a start costs the same however many wait before it. Each one in the line,
// in turn:
//
//   1. takes accelerators out of `open`, if they suffice: it starts;
//   2. else claims them in `future`: it waits, and nobody behind it can take them away;
//   3. else has idle replicas cooled (place/pressure.h) and claims what they will give back;
//   4. else, where it is parked and another node could hold a fresh one, stays parked and a start is
//      planned in its place;
//   5. else waits, and says for what; after a while a node is kept free for it. When an idle replica
//      has not been idle for long enough, or a busy one may become idle, an alarm brings everybody
//      back here.
#include <algorithm>
#include <ranges>

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

// See reserve().
constexpr Duration kReserveAfter = 30s;
constexpr Duration kReserveFor = 600s;
constexpr std::size_t kReservedMax = 8;  // nodes at once; whoever comes later waits without

bool is_going(const Replica& replica) {
  return replica.state == State::Parking || replica.state == State::Stopping ||
         replica.closing == Closing::Relief;
}

Picture take_picture(World& world) {
  Picture picture{.open = world.nodes, .future = world.nodes};
  std::erase_if(world.going, [&](ReplicaId id) {
    const Replica* replica = find_replica(world, id);
    return replica == nullptr || !is_going(*replica);
  });
  for (const ReplicaId id : world.going) {
    const Replica& replica = world.replicas.at(id);
    if (!replica.lease.node) continue;
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
  const Replica& replica;
  const RevisionRecord& record;

  [[nodiscard]] place::Wish wish() const {
    const model::Revision& revision = *record.revision;
    return {.needs = needs,
            .memory = memory,
            .only = only,
            .workspace = revision.workspace,
            .content = revision.model_path,
            .starts = replica.state == State::Planned ? &record.wake_cold : &record.wake_parked,
            .urgency_milli = revision.spec.scale.urgency_milli};
  }
};

Wanted wanted_by(const World& world, const Replica& replica) {
  const RevisionRecord& record = record_at(world.apps.at(replica.app), replica.revision->id);
  const model::AppSpec& spec = replica.revision->spec;
  if (replica.state == State::Planned) {
    return {.needs = spec.needs,
            .memory = spec.memory,
            .only = {},
            .replica = replica,
            .record = record};
  }
  const auto same_kind = [&](const model::AcceleratorNeed& need) {
    return need.kind == replica.lease.kind || need.kind == "any";
  };
  const auto need = std::find_if(spec.needs.begin(), spec.needs.end(), same_kind);
  const std::uint32_t count = need == spec.needs.end() ? 1 : need->count;
  return {.needs = {{.kind = replica.lease.kind, .count = count, .memory_each = {}}},
          .memory = {},
          .only = replica.lease.node,
          .replica = replica,
          .record = record};
}

// With a fixed port there can be only one, of whatever revision; a parked one has it already.
bool must_wait_for_port(const World& world, const App& app, const Replica& replica) {
  if (replica.revision->spec.fixed_port == 0) return false;
  return std::any_of(app.replicas.begin(), app.replicas.end(), [&](ReplicaId id) {
    const Replica& other = world.replicas.at(id);
    return id != replica.id && (other.state != State::Planned || other.is_ordered);
  });
}

// Somebody may have asked for it while the last one that `max` allows was on its way out.
bool must_wait_for_max(const World& world, const App& app, const Replica& replica) {
  const auto holding = std::count_if(app.replicas.begin(), app.replicas.end(), [&](ReplicaId id) {
    const Replica& other = world.replicas.at(id);
    return other.revision->id == replica.revision->id && !other.lease.accelerators.empty();
  });
  return holding >= static_cast<std::ptrdiff_t>(most_replicas(app));
}

// What must end before this one may start, whatever is free; empty: nothing.
std::string waits_for_end_of(const World& world, const App& app, const Replica& replica) {
  if (replica.state == State::Planned && must_wait_for_port(world, app, replica))
    return "waits until the replica before it has given back the fixed port";
  if (must_wait_for_max(world, app, replica))
    return "waits until a replica before it is gone: max is " + std::to_string(app.replicas_max);
  return {};
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

void grant(Step& step, Replica& replica, model::Lease lease, const std::string& why) {
  World& world = step.world;
  place::NodeLoad& node = world.nodes.at(lease.node);
  place::take(node, lease);
  world.lease_queue.erase(*replica.lease_turn);
  replica.lease_turn.reset();
  replica.reservation.reset();
  std::string where = node.node.name + ", " + lease.kind;
  for (const std::uint32_t index : lease.accelerators) where += " " + std::to_string(index);
  decide(step, about(replica), "place", "placed on " + where + ": " + why);
  if (replica.state == State::Planned) {
    replica.lease = std::move(lease);
    place::move_in(node, replica.revision->workspace);
    order_start(step, world.apps.at(replica.app), replica);
  } else {
    replica.lease.accelerators = std::move(lease.accelerators);
    order_resume(step, replica);
  }
}

// Marks `lease` as spoken for: nobody behind in the line may have any of it.
void claim(Picture& picture, const model::Lease& lease) {
  place::take(picture.future.at(lease.node), lease);
  place::mark_taken(picture.open.at(lease.node), lease);
}

// --- pressure ------------------------------------------------------------------------------------

// When this replica may be a victim: `now` or earlier where it may be at once, never() where it may
// not.
Instant victim_from(const World& world, const Replica& replica, Instant now) {
  if (replica.closing != Closing::None) return Instant::never();
  const App* app = find_app(world, replica.app);
  if (app == nullptr) return Instant::never();
  if (replica.state == State::Parked) return replica.lease_turn ? Instant::never() : now;
  if (replica.state != State::Ready || !may_cool(world, *app, replica)) return Instant::never();
  // Reports of work move `idle_since` on; should none come, the slot word is asked in the end.
  return std::max(replica.idle_since + warmth::kIdleMin,
                  replica.ready_since + warmth::residency(terms_of(*app, replica)));
}

place::Candidate candidate_of(const World& world, const Replica& replica, Instant now) {
  const warmth::Terms terms = terms_of(*find_app(world, replica.app), replica);
  const Duration idle = now - replica.idle_since;
  const bool may_park = terms.may_park && replica.state == State::Ready;
  const std::int64_t stop_loss = loss_of_cooling(warmth::Tier::Cold, terms, idle);
  return {.replica = replica.id,
          .app = replica.app,
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

std::vector<place::Candidate>& ensure_candidates(const Step& step, Picture& picture) {
  if (picture.candidates) return *picture.candidates;
  std::vector<place::Candidate>& candidates = picture.candidates.emplace();
  for (const auto& [id, replica] : step.world.replicas) {
    const Instant from = victim_from(step.world, replica, step.now);
    if (from <= step.now) {
      candidates.push_back(candidate_of(step.world, replica, step.now));
    } else {
      picture.look_again = std::min(picture.look_again, from);
    }
  }
  std::ranges::sort(candidates, {},
                    [](const place::Candidate& one) { return std::pair(one.node, one.replica); });
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
  step.world.going.insert(replica.id);
  if (replica.state == State::Parked) {
    stop_replica(step, replica, {.why = for_whom});
    return;
  }
  replica.cool_to = is_stop ? warmth::Tier::Cold : warmth::Tier::Parked;
  try_to_cool(step, replica, Closing::Relief, step.now - warmth::kIdleMin);
}

// The cheapest set that makes room. What was seen of a candidate may have changed since.
std::vector<place::Victim> find_victims(const Step& step, Picture& picture, const place::Wish& wish,
                                        AppId spared) {
  std::vector<place::Candidate>& candidates = ensure_candidates(step, picture);
  const auto is_changed = [&](const place::Victim& victim) {
    const Replica* replica = find_replica(step.world, victim.replica);
    return replica == nullptr || victim_from(step.world, *replica, step.now) > step.now;
  };
  while (true) {
    std::vector<place::Victim> victims =
        place::pick_victims(picture.future, wish, candidates, spared);
    const auto changed = std::ranges::find_if(victims, is_changed);
    if (changed == victims.end()) return victims;
    std::erase_if(candidates, [id = changed->replica](const place::Candidate& one) {
      return one.replica == id;
    });
  }
}

// True when `future` has room for the wish afterwards.
bool relieve(Step& step, Picture& picture, const Replica& waiting, const place::Wish& wish) {
  const auto victims = find_victims(step, picture, wish, waiting.app);
  for (const place::Victim& victim : victims) {
    cool_victim(step, picture, victim, waiting);
    std::erase_if(*picture.candidates,
                  [&](const place::Candidate& one) { return one.replica == victim.replica; });
  }
  return !victims.empty();
}

// Everything idle on the node that is kept free; what is given back is kept as well.
void clear_node(Step& step, Picture& picture, const place::Reserved& reserved,
                const Replica& waiting) {
  std::vector<place::Candidate>& candidates = ensure_candidates(step, picture);
  for (const place::Candidate& one : candidates) {
    const bool is_there = one.node == reserved.node && one.kind == reserved.kind &&
                          one.accelerators > 0 && one.app != waiting.app;
    if (!is_there ||
        victim_from(step.world, step.world.replicas.at(one.replica), step.now) > step.now)
      continue;
    const place::Relief relief = one.may_park ? place::Relief::Park : place::Relief::Stop;
    cool_victim(step, picture, {one.replica, relief}, waiting);
  }
  std::erase_if(candidates, [&](const place::Candidate& one) { return one.node == reserved.node; });
}

// A stream of small wishes would take every accelerator that comes free, one by one, from a large one
// that waits for several at once. After kReserveAfter it has a node kept free for it: nobody behind
// it in the line gets anything there, and what is idle there is cooled. Where that does not help
// within kReserveFor, a node is chosen afresh. True while there is one.
bool reserve(Step& step, Picture& picture, Replica& replica, const place::Wish& wish) {
  const Instant from = replica.in_line_since + kReserveAfter;
  if (step.now < from) picture.look_again = std::min(picture.look_again, from);
  if (step.now < from || picture.reserved == kReservedMax) return false;
  std::optional<Reservation>& kept = replica.reservation;
  const bool is_kept = kept && step.now < kept->since + kReserveFor;
  place::Wish there = wish;
  if (is_kept) there.only = kept->node;
  const std::optional<place::Reserved> reserved = place::pick_reservation(picture.future, there);
  if (!reserved) return false;
  if (!is_kept) {
    kept = {reserved->node, step.now};
    decide(step, about(replica), "reserve",
           step.world.nodes.at(reserved->node).node.name +
               " is kept free for it: " + std::to_string(reserved->count) + " " + reserved->kind +
               " were not free at once for " + to_words(step.now - replica.in_line_since));
  }
  picture.reserved += 1;
  picture.look_again = std::min(picture.look_again, kept->since + kReserveFor);
  clear_node(step, picture, *reserved, replica);
  place::hold_free(picture.open.at(reserved->node), *reserved, wish.memory);
  place::hold_free(picture.future.at(reserved->node), *reserved, wish.memory);
  return true;
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
  const bool has_place = place::pick_place(picture.future, wish).has_value();
  if (!has_place && find_victims(step, picture, wish, replica.app).empty()) return false;
  const Purpose purpose = replica.purpose;
  const std::string why = "its node has no room for it, and another has";
  give_up_plan(step, replica, why);
  return plan_start(
      step, app,
      {.revision = revision,
       .purpose = purpose,
       .why = "the parked " + model::to_text(replica.id) + " cannot come back: " + why});
}

std::string why_there(const place::Nodes& nodes, const Wanted& wanted, const model::Lease& lease) {
  if (wanted.only) return "its parked copy is there";
  return place::why_there(nodes, wanted.wish(), lease);
}

// Case 1 at the top of this file, while nobody in the line has a claim: what is free is the nodes as
// they are.
bool take_if_free(Step& step, Replica& replica) {
  if (!waits_for_end_of(step.world, step.world.apps.at(replica.app), replica).empty()) return false;
  const Wanted wanted = wanted_by(step.world, replica);
  std::optional<model::Lease> lease = place::pick_place(step.world.nodes, wanted.wish());
  if (!lease) return false;
  const std::string why = why_there(step.world.nodes, wanted, *lease);
  grant(step, replica, std::move(*lease), why);
  return true;
}

Refused* find_refused(Picture& picture, const Wanted& wanted) {
  const auto found = std::ranges::find_if(picture.refused, [&](const Refused& one) {
    return one.only == wanted.only && one.memory == wanted.memory && one.needs == wanted.needs;
  });
  return found == picture.refused.end() ? nullptr : &*found;
}

Refused& ensure_refused(Picture& picture, const Wanted& wanted) {
  if (Refused* found = find_refused(picture, wanted)) return *found;
  picture.refused.push_back({.needs = wanted.needs,
                             .memory = wanted.memory,
                             .only = wanted.only,
                             .why = place::why_refused(picture.open, wanted.wish()),
                             .claimed = {}});
  return picture.refused.back();
}

// Room in `future`; where the last one with this wish has a claim there is often more.
std::optional<model::Lease> find_future(const Picture& picture, const Refused& refused,
                                        const place::Wish& wish) {
  if (refused.claimed) {
    place::Wish same_node = wish;
    same_node.only = refused.claimed;
    if (std::optional<model::Lease> lease = place::pick_place(picture.future, same_node))
      return lease;
  }
  return place::pick_place(picture.future, wish);
}

// Cases 2 to 5. The replica may be gone afterwards.
void wait_for_room(Step& step, Picture& picture, Replica& replica, const Wanted& wanted) {
  App& app = step.world.apps.at(replica.app);
  Refused& refused = ensure_refused(picture, wanted);
  const place::Wish wish = wanted.wish();
  std::optional<model::Lease> lease = find_future(picture, refused, wish);
  if (!lease && relieve(step, picture, replica, wish))
    lease = place::pick_place(picture.future, wish);
  if (lease) {
    refused.claimed = lease->node;
    // What is free already is kept: what is on its way may be called back.
    claim(picture, place::with_open_first(std::move(*lease), picture.open.at(refused.claimed),
                                          picture.future.at(refused.claimed)));
    keep_waiting(step, replica, "waits for accelerators that are being given back: " + refused.why);
  } else if (!start_elsewhere(step, picture, app, replica)) {
    const bool is_reserved = reserve(step, picture, replica, wish);
    keep_waiting(step, replica,
                 (is_reserved ? "waits for accelerators of a node that is kept free for it: "
                              : "waits for accelerators: ") +
                     refused.why);
    if (replica.purpose == Purpose::Rollout) make_way(step, app, picture.future, wish);
  }
}

// The five cases at the top of this file. The replica may be gone afterwards.
void settle_one(Step& step, Picture& picture, Replica& replica) {
  const std::string before = waits_for_end_of(step.world, step.world.apps.at(replica.app), replica);
  if (!before.empty()) return keep_waiting(step, replica, before);
  const Wanted wanted = wanted_by(step.world, replica);
  std::optional<model::Lease> lease;
  if (find_refused(picture, wanted) == nullptr)
    lease = place::pick_place(picture.open, wanted.wish());
  if (lease) {
    const std::string why = why_there(picture.open, wanted, *lease);
    place::take(picture.open.at(lease->node), *lease);
    place::take(picture.future.at(lease->node), *lease);
    grant(step, replica, std::move(*lease), why);
  } else if (replica.purpose == Purpose::Floor) {
    give_up_plan(step, replica, "nothing is free for a guess");
  } else {
    wait_for_room(step, picture, replica, wanted);
  }
}

// From the first who was not looked at to the last who stands in the line when this begins.
void walk_line(Step& step) {
  World& world = step.world;
  std::optional<Picture>& picture = world.picture;
  const std::uint64_t from = std::exchange(world.turns_settled, world.lease_turns);
  auto next = world.lease_queue.lower_bound(from);
  while (next != world.lease_queue.end() && next->first < world.turns_settled) {
    const auto [turn, id] = *next;
    Replica& replica = world.replicas.at(id);
    // The picture is taken when the first one has to wait; often nobody has to.
    if (picture || !take_if_free(step, replica)) {
      if (!picture) picture = take_picture(world);
      settle_one(step, *picture, replica);
    }
    next = world.lease_queue.upper_bound(turn);
  }
  if (world.lease_queue.empty()) picture.reset();
  if (picture) world.timers.set({Alarm::Placement, 0}, picture->look_again);
}

// True when there is somebody to look at.
bool begin_walk(World& world) {
  if (world.leases_moved) {
    world.leases_moved = false;
    world.turns_settled = 0;
    world.picture.reset();
    world.timers.clear({Alarm::Placement, 0});
  }
  return world.turns_settled < world.lease_turns && !world.lease_queue.empty() &&
         may_start_things(world);
}

void join_lease_queue(Step& step, Replica& replica) {
  World& world = step.world;
  replica.lease_turn = world.lease_turns++;
  replica.in_line_since = step.now;
  replica.reservation.reset();
  world.lease_queue.emplace(*replica.lease_turn, replica.id);
}

// The storm limit and the back-off, whichever is later, with its words; empty where it may start at
// once.
std::string why_later(Step& step, const App& app, const RevisionRecord& record, Instant& from) {
  const auto bucket =
      step.world.start_buckets.try_emplace(app.workspace, step.world.settings.starts).first;
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
  for (int pass = 0; pass < kPassesMax && begin_walk(step.world); ++pass) walk_line(step);
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
