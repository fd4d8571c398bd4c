#include "core/life/life.h"

#include <algorithm>

namespace kelvin::life {

namespace {

constexpr int kWeakFactor = 10;
constexpr Duration kStartDelayMin = 1s;
constexpr Duration kStartDelayMax = 60s;
constexpr Duration kFailingDelayMin = 30s;
constexpr Duration kFailingDelayMax = 600s;

// first, twice that, four times ... at most `most`; `step` counts from 1.
Duration doubling(Duration first, Duration most, std::uint32_t step) {
  const std::uint32_t doublings = std::min(step == 0 ? 0 : step - 1, 20U);
  return std::min(first * (std::int64_t{1} << doublings), most);
}

}  // namespace

void StartClock::moved(model::Progress progress, Instant now) {
  any_ = std::max(any_, now);
  if (progress == model::Progress::Strong) strong_ = any_;
}

Instant StartClock::deadline(Duration progress) const {
  return std::min(any_ + progress, strong_ + progress * kWeakFactor);
}

bool FailureBudget::failed(const model::Exit& exit, std::uint32_t attempts, Instant now) {
  failures_ += 1;
  last_ = exit;
  const bool was_probe = is_failing_;
  if (!was_probe && failures_ < attempts) {
    next_start_ = now + delay_between_starts(failures_);
    return false;
  }
  is_failing_ = true;
  rounds_ += 1;
  next_start_ = now + delay_while_failing(rounds_);
  return true;
}

Duration delay_between_starts(std::uint32_t failures) {
  return doubling(kStartDelayMin, kStartDelayMax, failures);
}

Duration delay_while_failing(std::uint32_t rounds) {
  return doubling(kFailingDelayMin, kFailingDelayMax, rounds);
}

bool Health::suspected() {
  suspicions_ += 1;
  return suspicions_ >= kSuspicionsMax;
}

}  // namespace kelvin::life
