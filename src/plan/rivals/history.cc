#include "plan/rivals/history.h"

#include <algorithm>
#include <iterator>

#include "plan/outcome.h"

namespace kelvin::plan {

void History::sample(Duration now, double integral) {
  samples_.push_back({.at = now, .integral = integral});
  // One sample at or before the beginning of the longest window is needed.
  while (samples_.size() > 1 && samples_[1].at <= now - longest_) samples_.pop_front();
}

double History::average(Duration window) const {
  if (samples_.empty()) return 0;
  const Sample& last = samples_.back();
  const Duration begin = std::max(last.at - window, samples_.front().at);
  const auto after = std::ranges::upper_bound(samples_, begin, {}, &Sample::at);
  const Sample& before = *std::prev(after);
  double integral = before.integral;
  if (after != samples_.end()) {
    const double part = to_seconds(begin - before.at) / to_seconds(after->at - before.at);
    integral += part * (after->integral - before.integral);
  }
  return (last.integral - integral) / std::max(to_seconds(last.at - begin), 1.0);
}

bool History::is_older_than(Duration age, Duration now) const {
  return samples_.empty() || samples_.back().at + age < now;
}

bool History::is_unchanged(double integral) const {
  return !samples_.empty() && samples_.back().integral >= integral;
}

}  // namespace kelvin::plan
