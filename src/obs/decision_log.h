// decision_log: what control decided lately and why, for `kelvin explain`.
//
// A ring: the oldest entry makes room for the newest.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <vector>

#include "model/view.h"

namespace kelvin::obs {

// May be used from any thread.
class DecisionLog {
 public:
  struct Limits {
    std::size_t entries_max = 10'000;
    std::size_t sentence_bytes_max = 1024;  // longer ones are cut
  };

  DecisionLog() : DecisionLog(Limits{}) {}
  explicit DecisionLog(const Limits& limits) : limits_(limits) {}

  void add(model::Decision decision);
  // The last `filter.most` entries that match, oldest first.
  std::vector<model::Decision> find(const model::DecisionFilter& filter) const;

 private:
  const Limits limits_;
  mutable std::mutex mutex_;
  std::deque<model::Decision> entries_;
};

}  // namespace kelvin::obs
