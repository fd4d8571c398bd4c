#include "core/queue/outlook.h"

#include <algorithm>

namespace kelvin::queue {

namespace {

constexpr Duration kRetryMin = 1s;
constexpr Duration kRetryMax = 120s;
// A start takes seconds at least.
constexpr Duration kRetryCold = 5s;

// Counts come from strangers, so the product is bounded before it is formed.
constexpr std::uint64_t kWaitingCounted = 100'000;
constexpr Duration kServiceCounted = 3600s;

}  // namespace

Duration retry_after(const Outlook& outlook) {
  Duration wait = outlook.wake_time > 0s ? outlook.wake_time : kRetryCold;
  if (outlook.slots > 0) {
    const auto waiting = static_cast<std::int64_t>(std::min(outlook.waiting, kWaitingCounted));
    const auto slots = static_cast<std::int64_t>(std::min(outlook.slots, kWaitingCounted));
    wait = std::min(outlook.service_time, kServiceCounted) / slots * waiting;
  }
  const Duration whole = (wait + 999'999'999ns) / 1s * Duration(1s);
  return std::clamp(whole, kRetryMin, kRetryMax);
}

void ServiceTime::add(Duration request_time, std::uint32_t answered) {
  if (answered == 0 || request_time < 0s) return;
  const std::uint64_t known = weight_;
  const std::uint64_t more = std::min<std::uint64_t>(answered, kHalfLife);
  // Bounded, so that the product below fits.
  const Duration each = std::min<Duration>(request_time / answered, 24h);
  const auto total = static_cast<std::int64_t>(known + more);
  value_ += (each - value_) * static_cast<std::int64_t>(more) / total;
  weight_ = std::min<std::uint64_t>(known + more, kHalfLife);
}

}  // namespace kelvin::queue
