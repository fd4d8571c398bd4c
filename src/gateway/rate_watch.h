// rate_watch: says when bytes that were promised come too slowly.
//
// An idle limit alone lets a client hold a request open with one byte a minute. So time is cut into windows, and each has to
// bring a minimum. Only time during which bytes are awaited counts: while the other side of the proxy does not take more,
// the watch is paused. A window that has brought enough is forgotten, so nobody can send ahead and then stall for long.
//
// Worked example: at least 240 bytes a second over windows of 10 s are 2,400 bytes a window. 2,400 bytes at once are fine at
// 10 s; when nothing follows, the verdict falls at 20 s. Paused from 12 s to 15 s, it falls at 23 s.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace kelvin::gateway {

struct RateRule {
  std::uint64_t bytes_per_second_min = 0;  // 0: never too slow
  Duration window = 10s;                   // positive
};

// Starts paused. The moments it is told never go back.
class RateWatch {
 public:
  // Bytes are awaited from here on. Fine to say twice.
  void resume(Instant now);
  // Nobody wants bytes for the moment. Fine to say twice.
  void pause(Instant now);
  void note(std::uint64_t bytes) { bytes_ += bytes; }

  // To be asked at deadline(), or whenever; true when a whole window has brought too little.
  [[nodiscard]] bool is_too_slow(const RateRule& rule, Instant now);
  // When the window in course ends; never() while paused or with a rule that asks for nothing.
  [[nodiscard]] Instant deadline(const RateRule& rule) const;

 private:
  Instant running_since_ = Instant::never();  // never(): paused
  Duration waited_{0};                        // in this window, before running_since_
  std::uint64_t bytes_ = 0;                   // in this window
};

}  // namespace kelvin::gateway
