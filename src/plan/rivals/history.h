// history: averages over windows of time, from samples of an integral.
#pragma once

#include <deque>

#include "base/time.h"

namespace kelvin::plan {

// Remembers an integral (request-seconds, say) where it was sampled, as far back as the longest window.
class History {
 public:
  explicit History(Duration longest) : longest_(longest) {}

  // Samples come in the order of time.
  void sample(Duration now, double integral);
  // The average over the last `window`, or since the first sample where that is later, taken over at least one second.
  // The last sample is the present; between two samples the integral grows evenly. 0 without samples.
  [[nodiscard]] double average(Duration window) const;
  // Nothing was sampled for longer than this.
  [[nodiscard]] bool is_older_than(Duration age, Duration now) const;
  // Nothing was integrated since the last sample.
  [[nodiscard]] bool is_unchanged(double integral) const;
  void forget() { samples_.clear(); }

 private:
  struct Sample {
    Duration at{};
    double integral = 0;
  };
  Duration longest_;
  std::deque<Sample> samples_;
};

}  // namespace kelvin::plan
