#include "core/warmth/warmth.h"

#include <algorithm>
#include <array>

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
constexpr std::int64_t kWaitersMilliMax = 64'000;

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

// 1 + lambda, for those who wait for a wake from this tier.
std::int64_t patience_milli(Tier tier, const Terms& terms) {
  const std::int64_t lambda = std::min<std::int64_t>(terms.urgency_milli, kUrgencyMilliMax);
  if (tier != Tier::Parked) return 1000 + lambda;
  return 1000 + lambda * std::min<std::int64_t>(terms.waiters_milli, kWaitersMilliMax) / 1000;
}

// What waking from the tier costs, in millionths of a replica-second.
std::int64_t wake_micro(Tier tier, const Terms& terms) {
  // At most 3.6e6 ms * 6.4e5 * 6.4e4 = 1.5e17.
  return wake_ms(tier, terms) * patience_milli(tier, terms) / 1000 * hold_milli(Tier::Warm, terms);
}

// (w_j - w_i) / (h_i - h_j), in milliseconds of idle time; 0 where waking from the cooler tier even
// costs less.
std::int64_t crossing_ms(Tier from, Tier to, const Terms& terms) {
  const std::int64_t saved = hold_milli(from, terms) - hold_milli(to, terms);
  KELVIN_CHECK(saved > 0);
  return std::max<std::int64_t>(wake_micro(to, terms) - wake_micro(from, terms), 0) / saved;
}

// By the lower envelope.
Step crossing_step(Tier from, const Terms& terms) {
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
  return {.to = to, .at_idle = std::chrono::milliseconds(std::min(ms, whole_ms(kParkedMax)))};
}

// By backward induction over the bins of the silences seen. One that has reached bin i, of length d_i, ends in it with
// chance p_i. With h_k the price of holding tier k and w_k that of waking from it:
//
//   stay_k(i) = p_i * (h_k * d_i / 2 + w_k) + (1 - p_i) * (h_k * d_i + best_k(i + 1))
//   best_k(i) = the least stay_j(i) of all tiers j that are not warmer than k
//
// Beyond the last bin everything is cold. The step is due at the first bin where another tier than `from` is best.
Step seen_step(Tier from, const Terms& terms, const Gaps& seen) {
  constexpr std::size_t kTiers = 3;
  std::array<double, kTiers> hold{};
  std::array<double, kTiers> wake{};
  for (std::size_t k = 0; k < kTiers; ++k) {
    hold[k] = static_cast<double>(hold_milli(static_cast<Tier>(k), terms)) / 1e3;
    wake[k] = static_cast<double>(wake_micro(static_cast<Tier>(k), terms)) / 1e6;
  }
  std::array<double, kTiers> best;
  best.fill(wake[2]);
  Step step{.to = Tier::Cold, .at_idle = Gaps::edge(Gaps::kBins)};
  const std::array<double, Gaps::kBins> chances = seen.chances();
  for (std::size_t bin = Gaps::kBins; bin-- > 0;) {
    const double ends = chances[bin];
    const double length =
        static_cast<double>((Gaps::edge(bin + 1) - Gaps::edge(bin)).count()) / 1e9;
    std::array<double, kTiers> stay;
    for (std::size_t k = 0; k < kTiers; ++k) {
      stay[k] = ends * (hold[k] * length / 2 + wake[k]) + (1 - ends) * (hold[k] * length + best[k]);
    }
    best[2] = stay[2];
    best[1] = std::min(stay[1], best[2]);
    const double cooler = terms.may_park && from == Tier::Warm ? best[1] : best[2];
    const double kept = stay[static_cast<std::size_t>(from)];
    if (cooler < kept) {
      step = {.to = cooler == best[2] ? Tier::Cold : Tier::Parked, .at_idle = Gaps::edge(bin)};
    }
    best[0] = std::min(stay[0], cooler);
  }
  return step;
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

std::optional<Step> next_step(Tier from, const Terms& terms, const Gaps& seen) {
  if (from == Tier::Cold) return std::nullopt;
  Step step = seen.has_any() ? seen_step(from, terms, seen) : crossing_step(from, terms);
  const Duration longest = from == Tier::Warm ? kWarmMax : kParkedMax;
  step.at_idle = std::clamp<Duration>(step.at_idle, kIdleMin, longest);
  return step;
}

std::int64_t loss_of_cooling(Tier to, const Terms& terms, Duration idle) {
  const std::int64_t idle_seconds = std::max<std::int64_t>(whole_ms(idle) / 1000, 0);
  return wake_micro(to, terms) / (1 + idle_seconds);
}

}  // namespace kelvin::warmth
