// line_watch: what must come in time, looked at every second: nobody stands in the line for accelerators beside what is
// free or idle, and what runs is what control knows.
//
// The first in the line has nobody before it. What is free goes to it at once; what others leave idle is parked or
// stopped for it, which takes as long as processes take, and longer where it was used a moment ago.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "core/control/world.h"
#include "os/slot_table.h"
#include "sim/ground.h"

namespace kelvin::sim {

class Machine;

class LineWatch {
 public:
  LineWatch(const Ground& ground, Machine& machine) : ground_(ground), machine_(machine) {}
  void check(const control::World& world);

 private:
  void check_first(const control::World& world);
  void check_known(const control::World& world);
  [[nodiscard]] bool is_idle(const control::World& world, const control::Replica& replica) const;

  const Ground& ground_;
  Machine& machine_;
  std::optional<std::uint64_t> turn_;  // of the first in the line, while there is something for it
  Instant since_;
  std::uint64_t checks_ = 0;
  std::map<ReplicaId, Instant> unknown_since_;
  std::map<ReplicaId, Instant> missing_since_;
};

}  // namespace kelvin::sim
