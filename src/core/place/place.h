// place: chooses where a replica runs.
//
// Filters say whether a node may hold it; scores say how well. Every filter has a name in plain
// English, and a refusal says for each node which one refused: that text is what the user reads in
// `kelvin explain` and in a 503.
//
// The wishes of an app are tried in the order it wrote them. Within a wish every node that fits has a
// score, in milliseconds, and the smallest wins; equal ones are settled by the lowest id:
//
//   how long the start is expected to take there: as measured for this revision on this node, else
//     over all nodes; half of that where the node holds in memory what the revision reads, twice
//     where it is known not to hold it at all
//   + 2,000 times the part of its accelerators that stays free: the fullest node that fits, so that
//     large wishes find whole nodes free
//   + 200 where replicas of other workspaces run
//
// Accelerators are the lowest free indices, and always whole: a lease is the only one on each of its
// accelerators, so that two workspaces never share one but by turns.
//
// Example: nodes a (4 h100, 1 free) and b (4 h100, 3 free), nothing measured; [h100] goes to a,
// which is full then, and [h100:2] to b. Where the app started on a in 9 s and on b in 2 s, [h100]
// goes to b: 2,000 + 2,000 * 2 / 4 = 3,000 against 9,000. [h100:4] is refused: "a: not enough free
// accelerators (1 of 4 free, 4 h100 wanted); b: not enough free accelerators (3 of 4 ...)".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "base/time.h"
#include "core/warmth/warmth.h"
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

// How many replicas of a workspace a node has, parked ones too.
struct Tenant {
  std::string workspace;
  std::uint32_t replicas = 0;
};

// A node and what is taken of it.
struct NodeLoad {
  model::Node node;
  std::vector<Taken> taken;     // one per kind of which something was ever taken
  Bytes claimed;                // host memory
  std::vector<Tenant> tenants;  // with at least one replica
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

void move_in(NodeLoad& load, std::string_view workspace);
void move_out(NodeLoad& load, std::string_view workspace);

[[nodiscard]] std::uint32_t free_count(const NodeLoad& load, const model::AcceleratorPool& pool);

struct Wish {
  std::span<const model::AcceleratorNeed> needs;  // in order of preference, not empty
  Bytes memory;                                   // host memory to claim; 0: none
  NodeId only;                                    // 0: any node

  // For the scores; may be left out.
  std::string_view workspace;
  std::string_view content;                       // what a start reads, by content id
  const warmth::WakeEstimates* starts = nullptr;  // how long one took
  std::uint32_t urgency_milli = 0;                // what waiting for it costs, see warmth.h
};

// Nothing where no node may hold it now.
[[nodiscard]] std::optional<model::Lease> pick_place(const Nodes& nodes, const Wish& wish);

// How long a start on this node is expected to take; 0 where nothing is known.
[[nodiscard]] Duration expected_start(const NodeLoad& load, const Wish& wish);

// The same number of accelerators on the same node, those first that are free in `open` too.
[[nodiscard]] model::Lease with_open_first(model::Lease lease, const NodeLoad& open,
                                           const NodeLoad& future);

// Why a lease that pick_place found is where it is, as long as nothing has been taken since: "the
// best of 3 nodes that fit: starts in about 2 s (measured there), the fullest of them".
[[nodiscard]] std::string why_there(const Nodes& nodes, const Wish& wish,
                                    const model::Lease& lease);

// A node on which the first of the needs that any node could ever fill is closest to being filled;
// nothing where there is none.
struct Reserved {
  NodeId node;
  std::string kind;
  std::uint32_t count = 0;
};
[[nodiscard]] std::optional<Reserved> pick_reservation(const Nodes& nodes, const Wish& wish);
// Takes what is free of it, as far as it is wanted.
void hold_free(NodeLoad& load, const Reserved& reserved, Bytes memory);

// The sentence that says, node by node, which filter refuses the wish now.
[[nodiscard]] std::string why_refused(const Nodes& nodes, const Wish& wish);

// What no waiting can mend: the sentence that says why no node could hold it even if all were up
// and empty; nothing where one could.
[[nodiscard]] std::optional<std::string> why_never(const Nodes& nodes, const Wish& wish);

}  // namespace kelvin::place
