#include "core/warmth/warmth.h"

#include <algorithm>

#include "base/check.h"

namespace kelvin::warmth {

namespace {

// Prices in thousandths of an accelerator-second per second.
constexpr std::int64_t kAcceleratorMilli = 1000;
constexpr std::int64_t kHostMemoryMilli = 50;
// Beyond these a product below could overflow; both lie far above every result that kParkedMax
// lets through.
constexpr std::int64_t kUrgencyMilliMax = 10'000'000;
constexpr std::int64_t kAcceleratorsMax = 64;

std::int64_t hold_milli(Tier tier, const Terms& terms) {
  const std::int64_t accelerators =
      std::clamp<std::int64_t>(terms.accelerators, 1, kAcceleratorsMax);
  switch (tier) {
    case Tier::Warm:
      return kAcceleratorMilli * accelerators + kHostMemoryMilli;
    case Tier::Parked:
      return kHostMemoryMilli;
    case Tier::Cold:
      return 0;
  }
  return 0;
}

// Rounded up to whole milliseconds and at most kWakeMax.
std::int64_t wake_ms(Tier tier, const Terms& terms) {
  const auto bounded = [](Duration d) {
    const Duration within = std::clamp<Duration>(d, 0s, kWakeMax);
    return whole_ms(within + 999'999ns);
  };
  switch (tier) {
    case Tier::Warm:
      return 0;
    case Tier::Parked:
      return bounded(terms.wake.parked);
    case Tier::Cold:
      return bounded(terms.wake.cold);
  }
  return 0;
}

std::int64_t patience_milli(const Terms& terms) {
  return 1000 + std::min<std::int64_t>(terms.urgency_milli, kUrgencyMilliMax);
}

// (w_j - w_i) / (h_i - h_j), in milliseconds of idle time; 0 where the cooler tier even wakes
// sooner.
std::int64_t crossing_ms(Tier from, Tier to, const Terms& terms) {
  const std::int64_t saved = hold_milli(from, terms) - hold_milli(to, terms);
  KELVIN_CHECK(saved > 0);
  const std::int64_t longer = std::max<std::int64_t>(wake_ms(to, terms) - wake_ms(from, terms), 0);
  // At most 3.6e6 ms * 1e4 * 6.4e4 = 2.3e15.
  const std::int64_t waking = longer * patience_milli(terms) / 1000 * hold_milli(Tier::Warm, terms);
  return waking / saved;
}

}  // namespace

WakeTimes prior_wake_times(bool is_cpu) {
  // A GPU replica of 16 GB moves to and from host memory in 1 to 3 s (product.md, Temperatures).
  return {.parked = is_cpu ? Duration(50ms) : Duration(2s), .cold = 10s};
}

Duration unmeasured_parked(Duration prior, Duration cold) { return std::min(prior, cold / 4); }

void WakeEstimate::measured(Duration time) {
  value_ = is_measured_ ? (value_ * 7 + time * 3) / 10 : time;
  is_measured_ = true;
}

void WakeEstimates::measured(NodeId node, Duration time) {
  all_.measured(time);
  auto at = std::ranges::lower_bound(nodes_, node, {}, &OnNode::node);
  if (at == nodes_.end() || at->node != node) {
    if (nodes_.size() == kNodesMax) return;
    at = nodes_.insert(at, {node, WakeEstimate(time)});
  }
  at->estimate.measured(time);
}

const WakeEstimate* WakeEstimates::find(NodeId node) const {
  const auto at = std::ranges::lower_bound(nodes_, node, {}, &OnNode::node);
  return at == nodes_.end() || at->node != node ? nullptr : &at->estimate;
}

Duration WakeEstimates::on(NodeId node) const {
  const WakeEstimate* measured = find(node);
  return measured == nullptr ? value() : measured->value();
}

Duration residency(const Terms& terms) {
  const Duration wake = terms.may_park ? terms.wake.parked : terms.wake.cold;
  return std::clamp(wake, kIdleMin, kResidencyMax);
}

std::optional<Step> next_step(Tier from, const Terms& terms) {
  if (from == Tier::Cold) return std::nullopt;
  Tier to = Tier::Cold;
  std::int64_t ms = crossing_ms(from, Tier::Cold, terms);
  if (from == Tier::Warm && terms.may_park) {
    const std::int64_t parked_ms = crossing_ms(Tier::Warm, Tier::Parked, terms);
    const bool is_worth_it = crossing_ms(Tier::Parked, Tier::Cold, terms) > whole_ms(kIdleMin);
    if (parked_ms < ms && is_worth_it) {
      to = Tier::Parked;
      ms = parked_ms;
    }
  }
  // Compared in milliseconds first: the largest crossing does not fit into nanoseconds.
  const Duration longest = from == Tier::Warm ? kWarmMax : kParkedMax;
  const Duration at_idle = std::chrono::milliseconds(std::min(ms, whole_ms(longest)));
  return Step{.to = to, .at_idle = std::max<Duration>(at_idle, kIdleMin)};
}

std::int64_t loss_of_cooling(Tier to, const Terms& terms, Duration idle) {
  const std::int64_t waking_micro =
      wake_ms(to, terms) * patience_milli(terms) / 1000 * hold_milli(Tier::Warm, terms);
  const std::int64_t idle_seconds = std::max<std::int64_t>(whole_ms(idle) / 1000, 0);
  return waking_micro / (1 + idle_seconds);
}

}  // namespace kelvin::warmth
