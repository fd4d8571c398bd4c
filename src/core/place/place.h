// place: chooses where a replica runs.
//
// Filters say whether a node may hold it; scores say how well. Every filter has a name in plain
// English, and a refusal says for each node which one refused: that text is what the user reads in
// `kelvin explain` and in a 503.
//
// The wishes of an app are tried in the order it wrote them; within a wish the fullest node that
// fits wins, so that large wishes find whole nodes free, and equal nodes are settled by the lowest
// id. Accelerators are the lowest free indices.
//
// Example: nodes a (4 h100, 1 free) and b (4 h100, 3 free); [h100] goes to a, [h100:2] to b, and
// [h100:4] is refused: "a: not enough free accelerators (1 of 4 h100 free, 4 wanted); b: not enough
// free accelerators (3 of 4 ...)".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "model/app.h"
#include "model/node.h"
#include "model/replica.h"

namespace kelvin::place {

// What is taken of one kind: a bit per index. It may hold more than its node has: a node that comes
// back smaller keeps what was leased before.
struct Taken {
  std::string kind;
  std::uint32_t count = 0;  // of bits that are set
  std::vector<std::uint64_t> bits;
};

// A node and what is taken of it.
struct NodeLoad {
  model::Node node;
  std::vector<Taken> taken;  // one per kind of which something was ever taken
  Bytes claimed;             // host memory
};
using Nodes = std::map<NodeId, NodeLoad>;

// Leases never overlap: taking what is taken, or giving back what is not, is a bug and ends the
// program.
void take(NodeLoad& load, const model::Lease& lease);
void give_back(NodeLoad& load, const model::Lease& lease);
// For leases that come from outside: false where part of it is taken or does not exist.
[[nodiscard]] bool can_take(const NodeLoad& load, const model::Lease& lease);
// Taken afterwards, whether or not it was before.
void mark_taken(NodeLoad& load, const model::Lease& lease);

[[nodiscard]] std::uint32_t free_count(const NodeLoad& load, const model::AcceleratorPool& pool);

struct Wish {
  std::span<const model::AcceleratorNeed> needs;  // in order of preference, not empty
  Bytes memory;                                   // host memory to claim; 0: none
  NodeId only;                                    // 0: any node
};

// Nothing where no node may hold it now.
[[nodiscard]] std::optional<model::Lease> pick_place(const Nodes& nodes, const Wish& wish);

// The sentence that says, node by node, which filter refuses the wish now.
[[nodiscard]] std::string why_refused(const Nodes& nodes, const Wish& wish);

// What no waiting can mend: the sentence that says why no node could hold it even if all were up
// and empty; nothing where one could.
[[nodiscard]] std::optional<std::string> why_never(const Nodes& nodes, const Wish& wish);

}  // namespace kelvin::place
