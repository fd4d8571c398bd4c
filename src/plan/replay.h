// replay: a trace through Kelvin's own controller, control::step, on made-up time.
//
// What is real: every decision about replicas (admission to the queue, starts, parking, resuming, stopping, the order
// in which replicas are tried), made by the code that `kelvin serve` runs, which sees arrivals only as they come and
// work only as the gateway reports it, once a second. What is made up: the nodes have room for everybody, starts and
// resumes take as long as Terms says and never fail, parking and stopping take no time, and a request holds its slot
// for the time that the trace says, however full its replica is.
//
// Each app has a workspace of its own, so that the limit on a workspace's starts does not make strangers wait for
// each other. Where the platform holds as many replicas as it may, an app that has none is refused; its request asks
// again when it was told to, as a client that heeds Retry-After does, and has waited all the while.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "plan/outcome.h"
#include "plan/trace.h"

namespace kelvin::plan {

struct ReplayOptions {
  std::uint32_t urgency_milli = 20'000;    // lambda in thousandths
  std::uint32_t replicas_max = 1U << 16U;  // of all apps together, parked ones too; at least 1
  // Called now and then with the number of arrivals so far; may be empty.
  std::function<void(std::size_t)> progress;
};

[[nodiscard]] Outcome replay(const Trace& trace, const Terms& terms, const ReplayOptions& options);

}  // namespace kelvin::plan
