#include "sim/watch.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "model/ids.h"

namespace kelvin::sim {

namespace {

using model::State;

// One event may carry a replica over two states, such as Ready -> Draining -> Stopping when it has no work.
bool can_come(State from, State to) {
  if (from == to || model::can_move(from, to)) return true;
  return std::any_of(model::kStates.begin(), model::kStates.end(), [&](State between) {
    return model::can_move(from, between) && model::can_move(between, to);
  });
}

bool is_quiet(const model::Event& event) {
  return std::holds_alternative<model::BusyMeasured>(event) ||
         std::holds_alternative<model::ReplicaProgressed>(event) ||
         std::holds_alternative<model::SlotFree>(event) ||
         std::holds_alternative<model::Demand>(event) ||
         std::holds_alternative<model::ProgressAsked>(event) ||
         std::holds_alternative<model::RequestLeft>(event);
}

bool changes_replicas(const model::Effect& effect) {
  return !std::holds_alternative<model::AppendUsage>(effect) &&
         !std::holds_alternative<model::AskBusy>(effect) &&
         !std::holds_alternative<model::Handover>(effect) &&
         !std::holds_alternative<model::TellProgress>(effect) &&
         !std::holds_alternative<model::RefuseRequest>(effect);
}

}  // namespace

void Watch::check(const control::World& world, const model::Event& event,
                  const model::Effects& effects) {
  if (const auto* change = std::get_if<model::NodeChanged>(&event))
    nodes_[change->node.id] = change->node;
  check_queue(world, event);
  if (is_quiet(event) && std::none_of(effects.begin(), effects.end(), changes_replicas)) return;
  replicas_ = control::view_replicas(world, {});
  check_moves(world);
  check_leases(world);
  check_max(world, effects);
}

void Watch::check_moves(const control::World&) {
  std::map<ReplicaId, State> states;
  for (const model::ReplicaView& replica : replicas_) {
    const auto before = states_.find(replica.id);
    if (before != states_.end() && !can_come(before->second, replica.state)) {
      violate(model::to_text(replica.id) + " moves from " + std::string(to_text(before->second)) +
              " to " + std::string(to_text(replica.state)));
    }
    states.emplace(replica.id, replica.state);
  }
  states_ = std::move(states);
}

void Watch::check_leases(const control::World&) const {
  std::set<std::pair<std::pair<NodeId, std::string>, std::uint32_t>> taken;
  std::map<NodeId, std::uint64_t> memory;
  for (const model::ReplicaView& replica : replicas_) {
    if (replica.state == State::Planned || replica.state == State::Gone || !replica.lease.node)
      continue;
    memory[replica.lease.node] += replica.lease.memory.count;
    if (replica.state == State::Parked) continue;
    for (const std::uint32_t index : replica.lease.accelerators) {
      if (!taken.insert({{replica.lease.node, replica.lease.kind}, index}).second) {
        violate("the lease of " + model::to_text(replica.id) + " overlaps another");
      }
      const auto node = nodes_.find(replica.lease.node);
      if (node == nodes_.end())
        violate(model::to_text(replica.id) + " has a lease on an unknown node");
      const auto& pools = node->second.pools;
      const bool fits =
          std::any_of(pools.begin(), pools.end(), [&](const model::AcceleratorPool& pool) {
            return pool.kind == replica.lease.kind && index < pool.count;
          });
      if (!fits)
        violate(model::to_text(replica.id) + " has a lease on an accelerator that does not exist");
    }
  }
  for (const auto& [id, claimed] : memory) {
    if (claimed > nodes_.at(id).memory.count)
      violate("memory of " + nodes_.at(id).name + " is claimed beyond its size");
  }
}

// Only a Demand makes a queue longer.
void Watch::check_queue(const control::World& world, const model::Event& event) {
  const auto* demand = std::get_if<model::Demand>(&event);
  if (demand == nullptr) return;
  const auto app = control::view_app(world, demand->app);
  if (app && app->waiting > app->revision.spec.queue.requests_max) {
    violate("the queue of " + app->revision.spec.name + " is over its limit");
  }
}

// A lower maximum does not stop what runs, so only what is ordered on top is judged. A rollout may have one replica
// more than the maximum, and what drains for it does not count.
void Watch::check_max(const control::World& world, const model::Effects& effects) const {
  for (const model::Effect& effect : effects) {
    ReplicaId ordered;
    if (const auto* start = std::get_if<model::StartReplica>(&effect)) ordered = start->replica;
    if (const auto* resume = std::get_if<model::ResumeReplica>(&effect)) ordered = resume->replica;
    const auto it = std::find_if(replicas_.begin(), replicas_.end(),
                                 [&](const auto& one) { return one.id == ordered; });
    if (it == replicas_.end()) continue;
    const auto app = control::view_app(world, it->app);
    if (!app) continue;
    const bool is_split = !app->traffic.empty();
    std::uint32_t holding = 0;
    std::uint32_t most = app->revision.spec.scale.replicas_max;
    bool is_rollout = false;
    for (const model::ReplicaView& other : replicas_) {
      if (other.app != it->app || !model::holds_lease(other.state)) continue;
      const bool is_other_revision = other.revision != it->revision;
      // Each revision of a split has the maximum for itself.
      if (is_split && is_other_revision) continue;
      is_rollout |= is_other_revision;
      const bool is_leaving = other.state == State::Draining || other.state == State::Stopping;
      if (!is_other_revision || !is_leaving) ++holding;
    }
    if (holding > most + (is_rollout ? 1 : 0)) {
      violate("replicas_max of " + app->revision.spec.name + " is exceeded by " +
              model::to_text(ordered));
    }
  }
}

}  // namespace kelvin::sim
