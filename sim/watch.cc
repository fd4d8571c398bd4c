#include "sim/watch.h"

#include <algorithm>
#include <utility>

#include "model/ids.h"

namespace kelvin::sim {

namespace {

using control::Alarm;
using model::State;

// Up to so many replicas and nodes all of them are looked at after every step.
constexpr std::size_t kFewThings = 64;

std::string name_of(const control::Replica& replica) { return model::to_text(replica.id); }

// One event may carry a replica over two states, such as Ready -> Draining -> Stopping when it has no work.
bool can_come(State from, State to) {
  if (from == to || model::can_move(from, to)) return true;
  return std::any_of(model::kStates.begin(), model::kStates.end(), [&](State between) {
    return model::can_move(from, between) && model::can_move(between, to);
  });
}

bool changes_leases(const model::Event& event) {
  return std::holds_alternative<model::ReplicaMoved>(event) ||
         std::holds_alternative<model::MoveFailed>(event) ||
         std::holds_alternative<model::ReplicaFound>(event) ||
         std::holds_alternative<model::NodeChanged>(event);
}

bool changes_leases(const model::Effect& effect) {
  return std::holds_alternative<model::StartReplica>(effect) ||
         std::holds_alternative<model::ResumeReplica>(effect);
}

ReplicaId replica_of(const model::Effect& effect) {
  if (const auto* start = std::get_if<model::StartReplica>(&effect)) return start->replica;
  if (const auto* resume = std::get_if<model::ResumeReplica>(&effect)) return resume->replica;
  if (const auto* record = std::get_if<model::RecordDecision>(&effect))
    return record->decision.replica;
  return {};
}

struct Holders {
  std::uint32_t own = 0;  // of the same revision
  std::uint32_t others = 0;
};

Holders count_holders(const control::World& world, const control::App& app,
                      const control::Replica& ordered) {
  Holders holders;
  for (const ReplicaId id : app.replicas) {
    const control::Replica& other = world.replicas.at(id);
    if (other.lease.accelerators.empty()) continue;
    const bool is_leaving = other.state == State::Draining || other.state == State::Stopping;
    if (other.revision->id == ordered.revision->id) {
      ++holders.own;
    } else if (app.shares.empty() && !is_leaving) {
      // Each revision of a split has the maximum for itself.
      ++holders.others;
    }
  }
  return holders;
}

}  // namespace

// What a parked process held before may be another's.
void Watch::check_found(const control::World& world, const model::ReplicaFound& found) {
  if (found.state != State::Parked) return;
  const auto stray = world.strays.find(found.replica);
  if (stray != world.strays.end() && !stray->second.lease.accelerators.empty())
    violate(Checker::Leases, model::to_text(found.replica) + " is parked and holds accelerators");
}

void Watch::check(const control::World& world, const model::Event& event,
                  const model::Effects& effects) {
  ++steps_;
  if (const auto* found = std::get_if<model::ReplicaFound>(&event)) check_found(world, *found);
  check_queue(world, event);
  check_max(world, effects);
  const std::size_t things = world.replicas.size() + world.nodes.size();
  const bool is_small = things <= kFewThings;
  const bool is_turn = steps_ % (things / 16 + 1) == 0;
  if (is_small || is_turn) {
    check_moves(world);
    if (is_turn || changes_leases(event) ||
        std::any_of(effects.begin(), effects.end(),
                    [](const model::Effect& effect) { return changes_leases(effect); }))
      check_leases(world);
    return;
  }
  std::set<ReplicaId> touched;
  for (const model::Effect& effect : effects) touched.insert(replica_of(effect));
  check_replicas(world, touched);
}

void Watch::check_replicas(const control::World& world, const std::set<ReplicaId>& some) {
  for (const ReplicaId id : some) {
    const auto found = world.replicas.find(id);
    if (found == world.replicas.end()) {
      states_.erase(id);
    } else {
      check_replica(world, found->second);
      states_.insert_or_assign(id, found->second.state);
    }
  }
}

void Watch::check_moves(const control::World& world) {
  auto before = states_.begin();
  for (const auto& [id, replica] : world.replicas) {
    while (before != states_.end() && before->first < id) before = states_.erase(before);
    check_replica(world, replica);
    if (before == states_.end() || before->first != id) {
      before = states_.emplace_hint(before, id, replica.state);
    }
    before->second = replica.state;
    ++before;
  }
  states_.erase(before, states_.end());
}

void Watch::check_replica(const control::World& world, const control::Replica& replica) {
  const auto before = states_.find(replica.id);
  if (before != states_.end() && !can_come(before->second, replica.state)) {
    violate(Checker::Lives, name_of(replica) + " moves from " +
                                std::string(to_text(before->second)) + " to " +
                                std::string(to_text(replica.state)));
  }
  const auto has = [&](Alarm alarm) { return world.timers.is_set({alarm, replica.id.value}); };
  bool is_moving = true;
  switch (replica.state) {
    case State::Planned:
      is_moving = replica.is_ordered ? has(Alarm::StartMoves)
                                     : replica.lease_turn.has_value() || has(Alarm::PlanDue);
      break;
    case State::Fetching:
    case State::Starting:
    case State::Loading:
    case State::Resuming:
    case State::Parking:
      is_moving = has(Alarm::StartMoves);
      break;
    case State::Stopping:
      is_moving = has(Alarm::StopRepeats);
      break;
    case State::Parked:
      is_moving = replica.lease_turn.has_value() || has(Alarm::Cool);
      break;
    case State::Ready:
    case State::Draining:
    case State::Gone:
      break;
  }
  if (replica.lease_turn && !world.lease_queue.contains(*replica.lease_turn)) is_moving = false;
  if (!is_moving) {
    violate(Checker::Waiting, name_of(replica) + " is stuck: it is " +
                                  std::string(to_text(replica.state)) +
                                  " and nothing will bring it on");
  }
}

// --- what is held ---

void Watch::hold(const control::World& world, const model::Lease& lease, ReplicaId who) {
  if (!lease.node) return;
  const auto node = world.nodes.find(lease.node);
  if (node == world.nodes.end())
    violate(Checker::Leases, model::to_text(who) + " has a lease on an unknown node");
  claimed_[lease.node] += lease.memory.count;
  for (const std::uint32_t index : lease.accelerators) {
    const auto& pools = node->second.node.pools;
    const bool fits = std::any_of(pools.begin(), pools.end(), [&](const auto& pool) {
      return pool.kind == lease.kind && index < pool.count;
    });
    if (!fits)
      violate(Checker::Leases,
              model::to_text(who) + " has a lease on an accelerator that does not exist");
    held_.emplace_back(lease.node, lease.kind, index);
  }
}

void Watch::check_leases(const control::World& world) {
  held_.clear();
  claimed_.clear();
  for (const auto& [id, replica] : world.replicas) hold(world, replica.lease, id);
  std::size_t slots = world.slots_free.size() + world.replicas.size();
  for (const auto& [id, stray] : world.strays) {
    hold(world, stray.lease, id);
    slots += stray.slot ? 1 : 0;
  }
  std::sort(held_.begin(), held_.end());
  if (std::adjacent_find(held_.begin(), held_.end()) != held_.end())
    violate(Checker::Leases, "two replicas hold one accelerator");
  std::size_t taken = 0;
  for (const auto& [id, load] : world.nodes) {
    for (const place::Taken& kind : load.taken) {
      for (std::uint32_t index = 0; index < kind.bits.size() * 64; ++index) {
        if ((kind.bits[index / 64] >> (index % 64) & 1) == 0) continue;
        ++taken;
        if (!std::binary_search(held_.begin(), held_.end(), Held(id, kind.kind, index)))
          violate(Checker::Leases, "an accelerator of " + load.node.name + " is taken by nobody");
      }
    }
    const auto claimed = claimed_.find(id);
    if (load.claimed.count != (claimed == claimed_.end() ? 0 : claimed->second))
      violate(Checker::Leases, "memory of " + load.node.name + " is claimed by nobody, or twice");
    if (load.claimed.count > load.node.memory.count)
      violate(Checker::Leases, "memory of " + load.node.name + " is claimed beyond its size");
  }
  if (taken != held_.size())
    violate(Checker::Leases, "a replica holds an accelerator that counts as free");
  if (slots != world.settings.slots_max) violate(Checker::Leases, "a slot is lost, or held twice");
}

// --- limits ---

// Only a Demand makes a queue longer.
void Watch::check_queue(const control::World& world, const model::Event& event) {
  const auto* demand = std::get_if<model::Demand>(&event);
  if (demand == nullptr) return;
  const auto app = world.apps.find(demand->app);
  if (app == world.apps.end() || !app->second.queue.has(demand->request)) return;
  const control::App& asked = app->second;
  const RevisionId serving = asked.shares.empty() && asked.fallback ? asked.fallback : asked.active;
  const std::uint32_t most = asked.revisions.at(serving).revision->spec.queue.requests_max;
  if (asked.shares.empty() && asked.queue.size() > most)
    violate(Checker::Limits, "the queue of " + asked.name + " is over its limit");
}

// A lower maximum does not stop what runs, so only what is ordered on top is judged. The first replica of a rollout may
// come on top of the maximum, and what drains for it does not count.
void Watch::check_max(const control::World& world, const model::Effects& effects) {
  for (const model::Effect& effect : effects) {
    if (!changes_leases(effect)) continue;
    const auto found = world.replicas.find(replica_of(effect));
    if (found == world.replicas.end()) continue;
    const control::App& app = world.apps.at(found->second.app);
    const Holders holders = count_holders(world, app, found->second);
    const bool is_first = holders.own == 1 && holders.others > 0;
    const std::uint32_t most = app.replicas_max + (holders.others > 0 ? 1 : 0);
    if (holders.own > app.replicas_max || (!is_first && holders.own + holders.others > most)) {
      violate(Checker::Limits,
              "replicas_max of " + app.name + " is exceeded by " + model::to_text(found->first));
    }
  }
}

}  // namespace kelvin::sim
