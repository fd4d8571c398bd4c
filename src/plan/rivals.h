// rivals: what other platforms' rules make of a trace.
//
// Each app of the trace is a fleet of its own with one rule (rivals/fleet.h says how requests find slots and what
// happens to a replica that has to go). The rules are those that the platforms publish, with their defaults; where one
// leaves something open, the reading that serves it best is taken, and its file in rivals/ says which.
#pragma once

#include <cstdint>

#include "plan/outcome.h"
#include "plan/trace.h"

namespace kelvin::plan {

// All take terms with at least one slot and one replica; parking is not known to them.

// Starts what waiting requests need beyond what is being started; a replica ends after this idle time.
[[nodiscard]] Outcome fixed_idle(const Trace& trace, const Terms& terms, Duration idle_time);

// The same starts, an idle time of cold * (1 + lambda), and a floor with headroom from the average load.
[[nodiscard]] Outcome headroom_floor(const Trace& trace, const Terms& terms, double lambda);

// Knative's pod autoscaler with its defaults, and 70 % of the slots as its target.
[[nodiscard]] Outcome knative(const Trace& trace, const Terms& terms);

// Ray Serve with its defaults, and 70 % of the slots as its target.
[[nodiscard]] Outcome ray_serve(const Trace& trace, const Terms& terms, std::uint32_t replicas_min);

// RunPod's queue delay rule: one more replica while somebody has waited for more than 4 s; 5 s idle time.
[[nodiscard]] Outcome queue_delay(const Trace& trace, const Terms& terms);

// As many replicas as the trace ever needs at once, from its first moment to its last reply.
[[nodiscard]] Outcome reserved(const Trace& trace, const Terms& terms);

}  // namespace kelvin::plan
