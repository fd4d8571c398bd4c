// timers: deadlines of connections, cheap to move.
#include "gateway/timers.h"

#include <algorithm>

namespace kelvin::gateway {

TimerWheel::TimerWheel(Instant now) : tick_(tick_of(now)) {
  for (Timer& head : buckets_) head.next = head.previous = &head;
}

void TimerWheel::set(Timer& timer, Instant deadline) {
  timer.drop();
  timer.deadline = deadline;
  if (deadline == Instant::never()) return;
  // Rounded up: a timer in tick t is due once t has passed.
  Timer& head = bucket(std::max(tick_of(deadline) + 1, tick_));
  timer.next = &head;
  timer.previous = head.previous;
  head.previous->next = &timer;
  head.previous = &timer;
}

Timer* TimerWheel::take_due(Instant now) {
  const std::int64_t last = tick_of(now);
  // After a long sleep one turn sees every bucket.
  tick_ = std::max(tick_, last - static_cast<std::int64_t>(kBuckets) + 1);
  for (; tick_ <= last; ++tick_) {
    Timer& head = bucket(tick_);
    for (Timer* timer = head.next; timer != &head; timer = timer->next) {
      if (timer->deadline > now) continue;
      timer->drop();
      return timer;
    }
  }
  return nullptr;
}

Instant TimerWheel::next_look() const {
  for (std::uint64_t i = 0; i < kBuckets; ++i) {
    const std::int64_t tick = tick_ + static_cast<std::int64_t>(i);
    const Timer& head = buckets_[static_cast<std::uint64_t>(tick) % kBuckets];
    if (head.next != &head) return {tick << kTickBits};
  }
  return Instant::never();
}

}  // namespace kelvin::gateway
