#include "plan/optimum.h"

#include <algorithm>
#include <optional>

#include "base/check.h"

namespace kelvin::plan {

namespace {

// One app's levels, as its need rises and falls.
class Levels {
 public:
  Levels(const Terms& terms, double lambda)
      : cold_s_(to_seconds(terms.cold)), restart_s_(cold_s_ * (1 + lambda)), need_(terms.slots) {}

  void add(const Arrival& arrival, Optimum& sum) {
    run_until(arrival.at, sum);
    need_.begin(arrival);
    change(arrival.at, sum);
  }
  // Everything in flight ends.
  void finish(Optimum& sum) {
    while (need_.has_ending()) end_one(sum);
  }

 private:
  // What ends at `to` has freed its slot for what begins then.
  void run_until(Duration to, Optimum& sum) {
    while (need_.has_ending() && need_.next_ending() <= to) end_one(sum);
  }

  void end_one(Optimum& sum) {
    const Duration at = need_.next_ending();
    need_.end_one();
    change(at, sum);
  }

  void change(Duration at, Optimum& sum) {
    sum.needed_s += static_cast<double>(level_) * to_seconds(at - since_);
    since_ = at;
    const std::uint32_t to = need_.replicas();
    for (; level_ > to; --level_) fell_at_[level_ - 1] = at;
    for (; level_ < to; ++level_) rise(at, sum);
  }

  void rise(Duration at, Optimum& sum) {
    if (level_ == fell_at_.size()) {
      fell_at_.push_back(at);
      sum.starting_s += cold_s_;
      sum.starts += 1;
      return;
    }
    const double gap = to_seconds(at - fell_at_[level_]);
    if (gap <= restart_s_) {
      sum.held_s += gap;
    } else {
      sum.starting_s += restart_s_;
      sum.starts += 1;
    }
  }

  double cold_s_;
  double restart_s_;
  Need need_;
  std::uint32_t level_ = 0;
  Duration since_{};
  std::vector<Duration> fell_at_;  // by level; one that was never needed is not there
};

}  // namespace

std::vector<std::uint32_t> peak_needs(const Trace& trace, std::uint32_t slots) {
  KELVIN_CHECK(slots > 0);
  std::vector<Need> needs(trace.apps.size(), Need(slots));
  std::vector<std::uint32_t> peaks(trace.apps.size());
  for (const Arrival& arrival : trace.arrivals) {
    Need& need = needs[arrival.app];
    while (need.has_ending() && need.next_ending() <= arrival.at) need.end_one();
    need.begin(arrival);
    peaks[arrival.app] = std::max(peaks[arrival.app], need.replicas());
  }
  return peaks;
}

Optimum offline_optimum(const Trace& trace, const Terms& terms, double lambda) {
  KELVIN_CHECK(terms.slots > 0);
  std::vector<Levels> apps(trace.apps.size(), Levels(terms, lambda));
  Optimum sum;
  for (const Arrival& arrival : trace.arrivals) apps[arrival.app].add(arrival, sum);
  for (Levels& levels : apps) levels.finish(sum);
  return sum;
}

}  // namespace kelvin::plan
