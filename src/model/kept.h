// kept: what only the memory of a platform process knows about its replicas, for the process that takes over from it.
//
// Everything else is found again: what users created in the store, what runs by the cluster.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "model/replica.h"

namespace kelvin::model {

// What the meter must know of a replica and what stays the same for its whole life.
struct MeterFacts {
  ReplicaId replica;
  AppId app;
  RevisionId revision;
  std::string workspace;
  std::string app_name;
  NodeId node;
  std::string kind;
  std::uint32_t accelerators = 1;    // of its lease; rows in states without a lease show 0
  std::uint64_t first_sequence = 0;  // larger than 0 for an adopted replica
};

// Whether a time is billed; pending while that depends on how a start or resume ends.
enum class Settlement : std::uint8_t { Pending, Billed, Waived };

// A time in one state. The last one of a living replica is open: its `to` is never().
struct MeterStretch {
  State state = State::Planned;
  Instant from;
  Instant to = Instant::never();
  Settlement outcome = Settlement::Billed;
};

// The line of one replica in the meter, from the first moment that stands in no row yet.
struct MeterLine {
  MeterFacts facts;
  std::vector<MeterStretch> stretches;  // contiguous; those before the cursor are erased
  Instant cursor;                       // everything before it is in rows
  Instant folded_to;  // busy time in [cursor, folded_to) is in folded_busy, no longer in spans
  Duration folded_busy{};
  std::vector<Span> spans;  // disjoint, ascending, not before folded_to
  Instant forced_to{
      std::numeric_limits<std::int64_t>::min()};  // rows up to here do not wait for loops
  Duration total_carry{};
  Duration busy_carry{};
  std::uint64_t next_sequence = 0;
  bool is_gone = false;
};

// A replica as control knew it. For Ready and Draining, `generation` is the one of its slot word, which stays as it is:
// requests of the process that was taken over from may run there.
struct KeptReplica {
  ReplicaId replica;
  State state = State::Planned;
  std::uint32_t generation = 0;
  ExitCause stop_cause = ExitCause::Stopped;
  std::string reason;  // of its state
  Instant ready_since;
  Instant idle_since;
};

}  // namespace kelvin::model
