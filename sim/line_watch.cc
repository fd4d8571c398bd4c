#include "sim/line_watch.h"

#include <algorithm>

#include "core/place/place.h"
#include "model/ids.h"
#include "sim/machine.h"

namespace kelvin::sim {

namespace {

using control::Replica;
using model::State;

// Beyond what a minimum residency, a slow stop and a repeated one may take together.
constexpr Duration kReliefMost = 150s;
// Untouched for so long, whoever keeps a replica warm gives it up for one that is asked for.
constexpr Duration kIdleFor = 30s;
constexpr Duration kNewsMost = 30s;

bool is_on_its_way_out(const Replica& replica) {
  return replica.state == State::Parking || replica.state == State::Draining ||
         replica.state == State::Stopping || replica.closing != control::Closing::None;
}

// What the replica waits for; a parked one must come back where its memory lies.
place::Wish wish_of(const Replica& replica, std::vector<model::AcceleratorNeed>& needs) {
  const model::AppSpec& spec = replica.revision->spec;
  needs = spec.needs;
  if (replica.state == State::Planned) return {.needs = needs, .memory = spec.memory, .only = {}};
  std::erase_if(needs, [&](const auto& need) { return need.kind != replica.lease.kind; });
  return {.needs = needs, .memory = {}, .only = replica.lease.node};
}

// It waits for one of its own.
bool is_at_max(const control::World& world, const Replica& first) {
  const control::App& app = world.apps.at(first.app);
  const auto holding = std::count_if(app.replicas.begin(), app.replicas.end(), [&](ReplicaId id) {
    return !world.replicas.at(id).lease.accelerators.empty();
  });
  return holding >= static_cast<std::ptrdiff_t>(app.replicas_max);
}

}  // namespace

void LineWatch::check(const control::World& world) {
  if (world.is_recovering) return;
  // The nodes are copied for it: in a large world that is done now and then.
  if (++checks_ % (world.nodes.size() / 64 + 1) == 0) check_first(world);
  check_known(world);
}

bool LineWatch::is_idle(const control::World& world, const Replica& replica) const {
  if (is_on_its_way_out(replica)) return true;
  if (world.apps.at(replica.app).replicas_min > 0) return false;
  if (replica.state == State::Parked) return !replica.lease_turn;
  if (replica.state != State::Ready) return false;
  const os::SlotWord word = machine_.slots().read(replica.slot);
  const Instant used = std::max(machine_.last_used(replica.slot), replica.idle_since);
  return word.in_flight == 0 && ground_.calm_for(std::max(used, replica.ready_since)) > kIdleFor;
}

void LineWatch::check_first(const control::World& world) {
  if (world.lease_queue.empty()) return turn_.reset();
  const auto& [turn, id] = *world.lease_queue.begin();
  const Replica& first = world.replicas.at(id);
  std::vector<model::AcceleratorNeed> needs;
  const place::Wish wish = wish_of(first, needs);
  const bool is_held_up = first.revision->spec.fixed_port != 0 || is_at_max(world, first);
  if (needs.empty() || is_held_up) return turn_.reset();
  place::Nodes nodes = world.nodes;
  for (const auto& [other, replica] : world.replicas) {
    if (replica.app == first.app || !replica.lease.node || !is_idle(world, replica)) continue;
    place::give_back(nodes.at(replica.lease.node), replica.lease);
  }
  if (!place::pick_place(nodes, wish)) return turn_.reset();
  if (turn_ != turn) {
    turn_ = turn;
    since_ = ground_.now();
  } else if (ground_.calm_for(since_) > kReliefMost) {
    violate(Checker::Waiting,
            model::to_text(id) + " waits for accelerators beside idle replicas: " + first.reason);
  }
}

void LineWatch::check_known(const control::World& world) {
  for (const ReplicaId id : machine_.all()) {
    if (world.replicas.contains(id) || world.strays.contains(id)) {
      unknown_since_.erase(id);
      continue;
    }
    const Instant since = unknown_since_.emplace(id, ground_.now()).first->second;
    if (ground_.calm_for(since) > kNewsMost)
      violate(Checker::Leaks, model::to_text(id) + " runs and control does not know it");
  }
  for (const auto& [id, replica] : world.replicas) {
    const bool should_run = replica.state == State::Ready || replica.state == State::Parked ||
                            replica.state == State::Stopping;
    if (!should_run || machine_.is_running(id)) {
      missing_since_.erase(id);
      continue;
    }
    const Instant since = missing_since_.emplace(id, ground_.now()).first->second;
    if (ground_.calm_for(since) > kNewsMost)
      violate(Checker::Leaks, model::to_text(id) + " is gone and control does not know it");
  }
}

}  // namespace kelvin::sim
