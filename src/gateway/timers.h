// timers: deadlines of connections, cheap to move.
//
// A wheel of 1024 buckets of 2^24 ns (16.8 ms). A deadline lies in the bucket of its tick modulo 1024; those that are
// a whole turn (17 s) or more away are looked at once a turn and stay. Setting, moving and dropping a deadline is a
// few pointer writes and never allocates. A deadline fires up to one tick late, never early.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.h"

namespace kelvin::gateway {

// Lies inside the object whose deadline it is. Drops itself from the wheel when it ends.
struct Timer {
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { drop(); }

  bool is_set() const { return next != nullptr; }
  void drop() {
    if (next == nullptr) return;
    next->previous = previous;
    previous->next = next;
    next = previous = nullptr;
  }

  Timer* next = nullptr;
  Timer* previous = nullptr;
  Instant deadline = Instant::never();
  void* owner = nullptr;  // whose it is; cast back by the loop according to `kind`
  std::uint8_t kind = 0;
};

class TimerWheel {
 public:
  // Nothing earlier than `now` is looked at.
  explicit TimerWheel(Instant now);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  void set(Timer& timer, Instant deadline);

  // Takes one timer that is due out of the wheel; null when there is none. Call until null after each wait.
  Timer* take_due(Instant now);

  // How long to wait at most; never() when nothing is set. May be earlier than the first deadline: once a turn.
  Instant next_look() const;

 private:
  static constexpr unsigned kTickBits = 24;
  static constexpr std::uint64_t kBuckets = 1024;
  static std::int64_t tick_of(Instant at) { return at.ns >> kTickBits; }
  Timer& bucket(std::int64_t tick) { return buckets_[static_cast<std::uint64_t>(tick) % kBuckets]; }

  std::array<Timer, kBuckets> buckets_;  // heads of circular lists
  std::int64_t tick_;                    // the first tick that is not done
};

}  // namespace kelvin::gateway
