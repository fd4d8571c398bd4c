#include "plan/outcome.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace kelvin::plan {

namespace {

Timeline::Curve curve_of(Spending what) {
  switch (what) {
    case Spending::Starting:
    case Spending::Resuming:
      return Timeline::Curve::Starting;
    case Spending::Busy:
    case Spending::Idle:
    case Spending::Parking:
      return Timeline::Curve::Warm;
    case Spending::Parked:
      return Timeline::Curve::Parked;
  }
  return Timeline::Curve::Warm;
}

}  // namespace

Outcome outcome_of(std::string policy, const Trace& trace) {
  Outcome outcome{.policy = std::move(policy)};
  outcome.waits.resize(trace.arrivals.size());
  return outcome;
}

double to_seconds(Duration time) { return static_cast<double>(time.count()) / 1e9; }

void Timeline::add(Curve curve, Duration from, Duration to, double amount) {
  KELVIN_CHECK(from >= Duration{});
  if (to <= from) return;
  while (to > step_ * static_cast<std::int64_t>(kStepsMax)) widen();
  std::vector<double>& sums = sums_[static_cast<std::size_t>(curve)];
  const auto first = static_cast<std::size_t>(from / step_);
  const auto last = static_cast<std::size_t>((to - Duration(1)) / step_);
  if (sums.size() <= last) sums.resize(last + 1);
  for (std::size_t i = first; i <= last; ++i) {
    const Duration begin = step_ * static_cast<std::int64_t>(i);
    sums[i] += amount * to_seconds(std::min(to, begin + step_) - std::max(from, begin));
  }
}

void Timeline::widen() {
  for (std::vector<double>& sums : sums_) {
    for (std::size_t i = 0; 2 * i < sums.size(); ++i)
      sums[i] = sums[2 * i] + (2 * i + 1 < sums.size() ? sums[2 * i + 1] : 0);
    sums.resize((sums.size() + 1) / 2);
  }
  step_ *= 2;
}

std::vector<double> Timeline::averages(Curve curve) const {
  std::vector<double> averages = sums_[static_cast<std::size_t>(curve)];
  for (double& value : averages) value /= to_seconds(step_);
  return averages;
}

void Outcome::spend(Spending what, Duration from, Duration to, double price) {
  if (to <= from) return;
  accelerator_s[static_cast<std::size_t>(what)] += to_seconds(to - from) * price;
  timeline.add(curve_of(what), from, to);
}

void Outcome::waited(std::size_t arrival, Duration from, Duration to) {
  KELVIN_CHECK(arrival < waits.size());
  waits[arrival] = std::max<Duration>(to - from, Duration{});
  timeline.add(Timeline::Curve::Waiting, from, to);
}

double Outcome::cost() const {
  return std::accumulate(accelerator_s.begin(), accelerator_s.end(), 0.0);
}

double Outcome::waiting() const {
  double sum = 0;
  for (const Duration wait : waits) sum += to_seconds(wait);
  return sum;
}

Duration Outcome::wait_quantile(double part) const {
  if (waits.empty()) return {};
  std::vector<Duration> sorted = waits;
  const double place = std::ceil(part * static_cast<double>(sorted.size())) - 1;
  const auto index =
      static_cast<std::size_t>(std::clamp(place, 0.0, static_cast<double>(sorted.size() - 1)));
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(index),
                   sorted.end());
  return sorted[index];
}

double Outcome::share_waiting_over(Duration limit) const {
  if (waits.empty()) return 0;
  const auto over =
      std::count_if(waits.begin(), waits.end(), [&](Duration wait) { return wait > limit; });
  return static_cast<double>(over) / static_cast<double>(waits.size());
}

}  // namespace kelvin::plan
