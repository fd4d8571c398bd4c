// optimum: the least that a trace can cost when nobody may wait, for somebody who knows the future.
//
// A replica costs one accelerator-second per second from the order to start it, and is ready `cold` later. Who knows
// what comes orders it in time, so a start costs `cold` and no request waits. With n requests in flight an app needs
// ceil(n / slots) replicas; level k is needed while it needs k or more. Levels do not matter to each other, and in a
// gap between two needs of one level there are two choices: hold the replica, or start one again. So, exactly:
//
//   OPT0 = integral of ceil(n / slots) + sum over levels of (cold at the first need + sum over gaps of min(gap, cold))
//
// Worked example: 8 slots, cold 10 s, requests of 1 s at 0 s, 4 s and 60 s. Need: 3 s; first start: 10 s; the gap of
// 3 s is held, the one of 55 s costs a start of 10 s. OPT0 = 3 + 10 + 3 + 10 = 26.
//
// A policy that lets requests wait can cost less than OPT0. The second yardstick prices patience like the rules that
// hold a replica for cold * (1 + lambda): gaps count as min(gap, cold * (1 + lambda)).
//
// One pass, O(n log n), memory for what is in flight and for the levels.
#pragma once

#include <cstdint>
#include <queue>
#include <vector>

#include "plan/outcome.h"
#include "plan/trace.h"

namespace kelvin::plan {

// How many replicas one app needs while time passes, when every request has a slot at once.
class Need {
 public:
  explicit Need(std::uint32_t slots) : slots_(slots) {}

  // The next moment at which a request ends, if one is in flight.
  [[nodiscard]] bool has_ending() const { return !endings_.empty(); }
  [[nodiscard]] Duration next_ending() const { return endings_.top(); }
  void end_one() { endings_.pop(); }
  void begin(const Arrival& arrival) { endings_.push(arrival.at + arrival.service); }
  [[nodiscard]] std::uint32_t replicas() const {
    return static_cast<std::uint32_t>((endings_.size() + slots_ - 1) / slots_);
  }

 private:
  std::uint32_t slots_;
  std::priority_queue<Duration, std::vector<Duration>, std::greater<>> endings_;
};

// The most replicas that each app needs at once.
[[nodiscard]] std::vector<std::uint32_t> peak_needs(const Trace& trace, std::uint32_t slots);

struct Optimum {
  double needed_s = 0;    // accelerator-seconds with at least one request on the replica
  double held_s = 0;      // in gaps that are cheaper to bridge than to start again
  double starting_s = 0;  // of all starts
  std::uint64_t starts = 0;
  [[nodiscard]] double cost() const { return needed_s + held_s + starting_s; }
};

// OPT0 where lambda is 0, the second yardstick otherwise. `slots` of the terms is at least 1; parking is not part of it.
[[nodiscard]] Optimum offline_optimum(const Trace& trace, const Terms& terms, double lambda = 0);

}  // namespace kelvin::plan
