#include "core/scale/scale.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace kelvin::scale {

namespace {

// Below this an app counts as asleep: one request of 6 s in two minutes.
constexpr double kAsleepBelow = 0.05;
constexpr Duration kRemovalWindow = 60s;

double seconds(Duration d) { return static_cast<double>(d.count()) / 1e9; }

}  // namespace

void LoadAverage::add(Duration request_time, Duration over, Instant now) {
  KELVIN_CHECK(over > Duration{});
  const double mean = seconds(request_time) / seconds(over);
  value_ = at(now) + mean * -std::expm1(-seconds(over) / seconds(window_));
  at_ = std::max(at_, now);
}

double LoadAverage::at(Instant now) const {
  if (now <= at_) return value_;
  return value_ * std::exp(-seconds(now - at_) / seconds(window_));
}

Instant LoadAverage::falls_to(double level, Instant now) const {
  KELVIN_CHECK(level > 0);
  const double load = at(now);
  if (load <= level) return now;
  // One millisecond more, so that rounding never leaves it a hair above.
  const double wait = seconds(window_) * std::log(load / level) + 0.001;
  return now + Duration(static_cast<std::int64_t>(wait * 1e9));
}

std::uint32_t replicas_for(double requests, std::uint32_t slots) {
  return static_cast<std::uint32_t>(std::ceil(requests / std::max(slots, 1U)));
}

std::uint32_t floor_replicas(double load, std::uint32_t slots) {
  return load < kAsleepBelow ? 0 : replicas_for(load + std::sqrt(load), slots);
}

double load_below_floor(std::uint32_t replicas, std::uint32_t slots) {
  KELVIN_CHECK(replicas > 0);
  // floor < n while e + sqrt(e) <= (n - 1) * slots =: s, that is sqrt(e) <= (sqrt(1 + 4 s) - 1)
  // / 2.
  const double enough = static_cast<double>(replicas - 1) * std::max(slots, 1U);
  const double root = (std::sqrt(1 + 4 * enough) - 1) / 2;
  return std::max(root * root, kAsleepBelow * 0.999);
}

std::uint32_t headroom_slots(std::uint32_t urgency_milli) {
  std::uint32_t slots = 0;
  for (std::uint32_t milli = urgency_milli; milli >= 10'000; milli /= 10) slots += 1;
  return slots;
}

std::uint32_t spare_copies(std::uint32_t urgency_milli) {
  const std::uint32_t slots = headroom_slots(urgency_milli);
  return slots > 0 ? slots - 1 : 0;
}

std::uint32_t starts_needed(const Pressure& pressure) {
  std::uint64_t need = 0;
  if (pressure.waiting > pressure.promised) {
    const std::uint64_t slots = std::max(pressure.slots, 1U);
    need = (pressure.waiting - pressure.promised + slots - 1) / slots;
  }
  if (pressure.waiting > 0 && pressure.live == 0) need = std::max<std::uint64_t>(need, 1);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(need, pressure.room));
}

TokenBucket::TokenBucket(Rate rate) : rate_(rate) {
  KELVIN_CHECK(rate.burst > 0 && rate.per_second > 0);
}

Instant TokenBucket::reserve(Instant now) {
  const Duration per_token = Duration(1s) / rate_.per_second;
  full_at_ = std::max(full_at_, now) + per_token;
  return std::max(now, full_at_ - per_token * rate_.burst);
}

bool RemovalWindow::try_remove(std::uint32_t live, Instant now) {
  const bool is_over = began_ == Instant{} || now >= ends();
  if (is_over) {
    began_ = now;
    allowed_ = std::max(live / 2, 1U);
  }
  if (allowed_ == 0) return false;
  allowed_ -= 1;
  return true;
}

Instant RemovalWindow::ends() const { return began_ + kRemovalWindow; }

}  // namespace kelvin::scale
