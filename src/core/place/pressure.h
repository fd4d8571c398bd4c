// pressure: what to cool when somebody waits for an accelerator or for host memory.
//
// A warm replica that is idle can be parked, which frees its accelerators, or stopped, which frees
// its host memory too; a parked one can be stopped. Each has a loss (see warmth.h). Those with the
// smallest loss per unit of what is missing go first, until enough is freed; busy replicas are no
// candidates, so nobody with work is ever a victim. Between nodes the time that the start would take
// there counts too.
//
// Example: 1 cpu is missing on a node where x (idle for 2 s, loss 0.7), y (idle for 60 s, loss
// 0.03) and z (parked) stand: y is parked. Were 1 GiB of host memory missing as well, z would be
// stopped in addition if its loss per byte is smaller than that of stopping y instead of parking
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "core/place/place.h"

namespace kelvin::place {

struct Candidate {
  ReplicaId replica;
  AppId app;
  NodeId node;
  std::string kind;
  std::uint32_t accelerators = 0;  // that it holds; 0: it is parked
  Bytes memory;                    // that it claims
  bool may_park = false;           // false for a parked one
  std::int64_t park_loss = 0;      // of parking it, where it may
  std::int64_t stop_loss = 0;      // of stopping it; not less than park_loss
};

enum class Relief : std::uint8_t { Park, Stop };
struct Victim {
  ReplicaId replica;
  Relief relief = Relief::Park;
};

// The cheapest set that makes room for the wish on some node; empty where no set does, or where
// there is room already. `nodes` is the load as it will be when everything that already goes has
// gone. `candidates` ascend by node; those of the app that waits are spared.
[[nodiscard]] std::vector<Victim> pick_victims(const Nodes& nodes, const Wish& wish,
                                               std::span<const Candidate> candidates, AppId spared);

}  // namespace kelvin::place
