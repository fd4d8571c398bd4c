// warmth: how warm an idle replica stays.
//
// An idle replica pays for every second of being warm; a cooler one pays less, and later makes
// somebody wait while it wakes. Nobody knows when the next request comes, so the rule is the one of
// the skier who rents until the rent paid equals the price of skis: cool when holding on has cost
// as much as waking would. That never costs more than twice what somebody who knew the future would
// have paid.
//
// Three tiers, each with a price for holding it one second and a time it takes to wake from it:
//
//   tier     holds                        h (per second)            L (wake time)
//   warm     accelerators, host memory    1.00 * accelerators + 0.05    0
//   parked   host memory                  0.05                          measured; 0.05 s on CPU at
//   first cold     nothing                      0                             measured; 10 s at
//   first
//
// Waking from tier k costs the accelerator for L_k and somebody's patience for L_k; lambda, the
// app's urgency, says how many replica-seconds one second of patience is worth:   w_k = h_warm *
// L_k * (1 + lambda). After t idle seconds tier k has cost h_k * t + w_k, a line; the best tier at
// time t is the lowest line, and the replica follows that lower envelope down: it cools from i to j
// at   t = (w_j - w_i) / (h_i - h_j).
//
// Worked example: one CPU slot, interactive (lambda = 20), parked wakes in 0.05 s, cold in 1 s.
//   w_parked = 1.05 * 0.05 * 21 = 1.10;   w_cold = 1.05 * 1 * 21 = 22.05
//   warm -> parked at 1.10 / 1.00 = 1.1 s, raised to 2 s;   parked -> cold at (22.05 - 1.10) / 0.05
//   = 419 s Without parking (`park: never`): warm -> cold at 22.05 / 1.05 = 21 s of a held
//   accelerator instead of 2 s.
//
// A tier whose line is nowhere the lowest after 2 s is skipped. Nothing cools before 2 s, so that
// two apps that take turns on one accelerator do not thrash; nothing is held warm for more than half
// an hour, or parked for more than four hours, on the strength of a formula.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/id.h"
#include "base/time.h"
#include "core/warmth/levels.h"
#include "model/app.h"

namespace kelvin::warmth {

enum class Tier : std::uint8_t { Warm, Parked, Cold };

constexpr Duration kIdleMin = 2s;
constexpr Duration kWarmMax = 1800s;
constexpr Duration kParkedMax = 4h;
constexpr Duration kResidencyMax = 30s;
constexpr Duration kWakeMax = 3600s;  // a longer wake counts as this

struct WakeTimes {
  Duration parked = 50ms;
  Duration cold = 10s;
};

// What is expected before anything was measured.
[[nodiscard]] WakeTimes prior_wake_times(bool is_cpu);
// A wake from parked that was never measured is taken to be at most a quarter of a start: a program
// that starts in 20 ms would otherwise never be parked, and nobody would ever learn that it resumes
// in 1 ms.
[[nodiscard]] Duration unmeasured_parked(Duration prior, Duration cold);

// Takes in one measurement: the first replaces the prior, later ones weigh 30 %.
class WakeEstimate {
 public:
  explicit WakeEstimate(Duration prior) : value_(prior) {}
  void measured(Duration time);
  [[nodiscard]] Duration value() const { return value_; }
  [[nodiscard]] bool is_measured() const { return is_measured_; }

 private:
  Duration value_;
  bool is_measured_ = false;
};

// Wake times of one revision from one tier: over all nodes, and on each where it was measured.
class WakeEstimates {
 public:
  // Beyond so many nodes the others count as all nodes do.
  static constexpr std::size_t kNodesMax = 256;

  explicit WakeEstimates(Duration prior) : all_(prior) {}
  void measured(NodeId node, Duration time);
  [[nodiscard]] Duration value() const { return all_.value(); }
  [[nodiscard]] bool is_measured() const { return all_.is_measured(); }
  // Null where it was never measured there.
  [[nodiscard]] const WakeEstimate* find(NodeId node) const;
  // As measured there, else over all nodes, else the prior.
  [[nodiscard]] Duration on(NodeId node) const;

 private:
  struct OnNode {
    NodeId node;
    WakeEstimate estimate;
  };
  WakeEstimate all_;
  std::vector<OnNode> nodes_;  // ascending
};

struct Terms {
  WakeTimes wake;
  std::uint32_t accelerators = 1;
  std::uint32_t urgency_milli = 20'000;  // lambda in thousandths
  bool may_park = true;
  // Requests that wait for one resume on average, in thousandths (see Waiters).
  std::uint32_t waiters_milli = 1'000;
};

// For so long after it became ready a replica is not cooled for somebody else's sake: as long as it
// takes to wake it again, so that two apps that take turns on one accelerator spend no more time on
// waking than on serving, and whoever comes meanwhile is served in one go; at most kResidencyMax, so
// that nobody waits for longer because of it.
[[nodiscard]] Duration residency(const Terms& terms);

struct Step {
  Tier to = Tier::Cold;
  Duration at_idle{};  // idle time, counted from the last request, at which it is due
};

// The next step down from `from`; nothing below Cold. Where silences of this level have been seen, the one that costs
// least on average over them; else by the lower envelope.
[[nodiscard]] std::optional<Step> next_step(Tier from, const Terms& terms, const Gaps& seen = {});

// What it costs, in millionths of a replica-second, to lose this replica's warmth now: the price of
// waking from `to` times the chance that somebody comes back soon. With nothing else known, the
// chance that a silence of t seconds ends within the next moment falls like 1 / t, so it is taken
// as 1 / (1 + t).
[[nodiscard]] std::int64_t loss_of_cooling(Tier to, const Terms& terms, Duration idle);

}  // namespace kelvin::warmth
