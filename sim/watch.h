// watch: what must hold after every step of control, as far as its views show it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "core/control/control.h"
#include "model/replica.h"
#include "sim/ground.h"

namespace kelvin::sim {

class Watch {
 public:
  // Legal moves, leases within and beside each other, replicas_max, queue limits.
  void check(const control::World& world, const model::Event& event, const model::Effects& effects);

 private:
  void check_moves(const control::World& world);
  void check_leases(const control::World& world) const;
  static void check_queue(const control::World& world, const model::Event& event);
  void check_max(const control::World& world, const model::Effects& effects) const;

  std::map<ReplicaId, model::State> states_;
  std::map<NodeId, model::Node> nodes_;
  std::vector<model::ReplicaView> replicas_;  // of the last step that changed something
};

}  // namespace kelvin::sim
