// watch: what must hold of replicas, leases and limits after every step of control.
//
// It looks into the world itself, not at the views: the views are copies, and some of what must hold is not shown there.
// Where the world is large, what a step has not touched is looked at only now and then.
//
//   Moves are legal, one or two of them per step.
//   Leases lie within their node and beside each other, and the nodes count as taken exactly what replicas hold; so
//   with memory and slots. Nothing is lost, nothing is held twice.
//   replicas_max and queue.max are kept.
//   A replica on its way has an alarm, a place in the line for accelerators, or work that will end: none is stuck.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/control/world.h"
#include "sim/ground.h"

namespace kelvin::sim {

class Watch {
 public:
  void check(const control::World& world, const model::Event& event, const model::Effects& effects);

 private:
  using Held = std::tuple<NodeId, std::string_view, std::uint32_t>;

  void check_moves(const control::World& world);
  void check_replicas(const control::World& world, const std::set<ReplicaId>& some);
  void check_replica(const control::World& world, const control::Replica& replica);
  void check_leases(const control::World& world);
  void hold(const control::World& world, const model::Lease& lease, ReplicaId who);
  static void check_found(const control::World& world, const model::ReplicaFound& found);
  static void check_queue(const control::World& world, const model::Event& event);
  static void check_max(const control::World& world, const model::Effects& effects);

  std::map<ReplicaId, model::State> states_;
  std::vector<Held> held_;  // accelerators; kept for its memory
  std::map<NodeId, std::uint64_t> claimed_;
  std::uint64_t steps_ = 0;
};

}  // namespace kelvin::sim
