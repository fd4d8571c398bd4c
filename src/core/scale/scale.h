// scale: how many replicas an app should have.
//
// Up, without a tick. A request that finds no slot waits, and whoever waits beyond the slots that
// are already promised (by replicas on their way, and by room that is about to be used) is the
// reason for more replicas:
//
//   starts = ceil((waiting - promised) / slots), at least 1 where nothing lives, at most what `max`
//   leaves
//
// Counting replicas on their way is what keeps a slow start from becoming a storm: ten requests
// that arrive one by one during a 30 s cold start of an app with 4 slots start 3 replicas, not 10.
//
// The floor. e is the average number of requests in flight over the last 120 s, older moments
// weighing less. Requests come in bunches, so e itself is too few; a Poisson-like load stays below
// e + sqrt(e) most of the time:
//
//   floor = ceil((e + sqrt(e)) / slots), 0 where e < 0.05
//
// Worked example with 4 slots: e = 0.04 -> 0; e = 1 -> ceil(2 / 4) = 1; e = 6 -> ceil(8.45 / 4)
// = 3. The average is kept as one number and the moment it was true, and decays by exp(-t / 120 s)
// when somebody looks: an idle app costs no tick. Because the decay is known, so is the moment at
// which the floor falls below n: e = 6 falls below the floor of 3 replicas when e + sqrt(e) = 8,
// that is e = 5.63, 120 s * ln(6 / 5.63) = 7.7 s later.
//
// Down is the business of warmth: idle replicas only, least recently used first, never below the
// floor, and at most half of an app's replicas per 60 s (RemovalWindow).
#pragma once

#include <cstdint>

#include "base/time.h"

namespace kelvin::scale {

// Average requests in flight, exponentially weighted over a window. Several reporters may add to it.
class LoadAverage {
 public:
  explicit LoadAverage(Duration window = 120s) : window_(window) {}
  // `request_time` is the integral of requests in flight over the last `over` (positive), ending at
  // about `now`.
  void add(Duration request_time, Duration over, Instant now);
  [[nodiscard]] double at(Instant now) const;
  // When it will have fallen to `level`, if nothing is added; `now` where it is not above it.
  // `level` is positive.
  [[nodiscard]] Instant falls_to(double level, Instant now) const;

 private:
  Duration window_;
  double value_ = 0;
  Instant at_;
};

// Replicas that so many requests in flight fill.
[[nodiscard]] std::uint32_t replicas_for(double requests, std::uint32_t slots);
[[nodiscard]] std::uint32_t floor_replicas(double load, std::uint32_t slots);
// The load below which the floor is less than `replicas` (at least 1).
[[nodiscard]] double load_below_floor(std::uint32_t replicas, std::uint32_t slots);

// Slots that are kept free by resuming a parked replica before somebody has to wait for it, and
// parked replicas beyond those in use that are kept for a burst: more, the more a second of waiting
// is worth. One slot per tenfold of lambda: none at 1, one from 10, two from 100; one copy from 100.
[[nodiscard]] std::uint32_t headroom_slots(std::uint32_t urgency_milli);
[[nodiscard]] std::uint32_t spare_copies(std::uint32_t urgency_milli);

struct Pressure {
  std::uint64_t waiting = 0;   // requests in the queue
  std::uint64_t promised = 0;  // slots of replicas on their way, and free slots
  std::uint32_t live = 0;      // replicas that serve or are on their way
  std::uint32_t room = 0;      // how many more the app may have
  std::uint32_t slots = 1;     // per replica
};
[[nodiscard]] std::uint32_t starts_needed(const Pressure& pressure);

// Bounds a storm of starts: `burst` at once, then `per_second`. Every start gets a moment; none is
// refused.
class TokenBucket {
 public:
  struct Rate {
    std::uint32_t burst = 64;
    std::uint32_t per_second = 16;
  };
  explicit TokenBucket(Rate rate);

  // Takes a token and says from when on it may be used: `now`, or later when the bucket is empty.
  [[nodiscard]] Instant reserve(Instant now);
  [[nodiscard]] Rate rate() const { return rate_; }

 private:
  Rate rate_;
  // The moment at which the bucket would be full again. Each token taken moves it by 1 /
  // per_second; a token is there while it is less than burst / per_second ahead of the present (a
  // leaky bucket kept as one number).
  Instant full_at_;
};

// At most half of the replicas that lived when a window of 60 s began may be removed in it, but
// always one.
class RemovalWindow {
 public:
  // True: one more may go, and is counted.
  [[nodiscard]] bool try_remove(std::uint32_t live, Instant now);
  // The one that try_remove let go stays after all.
  void take_back() { allowed_ += 1; }
  [[nodiscard]] Instant ends() const;

 private:
  Instant began_;
  std::uint32_t allowed_ = 0;
};

}  // namespace kelvin::scale
