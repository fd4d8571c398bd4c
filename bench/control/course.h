// course: one world, taken through the life of many replicas, a batch of equal events at a time.
//
// Whoever measures is called around each batch; between batches the course plays slot table, gateway and cluster, so
// that the next batch finds what it would find in life.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/control/control.h"

namespace bench {

struct Terms {
  std::uint32_t apps = 1000;  // that are called; each gets one replica
  std::uint32_t idle = 0;     // deployed besides and never called
  std::uint32_t nodes = 100;
  std::uint32_t cpus = 16;  // of each node
};

// One batch: `run` makes its steps and nothing else.
struct Batch {
  std::string_view kind;  // what the events are, in words
  std::size_t steps = 0;
  std::function<void()> run;
};
using Measure = std::function<void(const Batch&)>;

// The world with all apps deployed.
[[nodiscard]] kelvin::control::WorldPtr deployed_world(const Terms& terms);

// There is room for everybody: started, called, full, idle, parked, resumed, deleted.
void run_roomy(const Terms& terms, const Measure& measure);
// Every node is full of idle replicas, and as many apps again are called: cooled to make room, one for one.
void run_crowded(const Terms& terms, const Measure& measure);

// Not control but place alone: nodes that are more than half full, every one of them looked at.
void run_places(const Terms& terms, const Measure& measure);

}  // namespace bench
