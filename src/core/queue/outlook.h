// outlook: when a client that is turned away may try again with some hope.
//
//   nothing is ready:   the expected rest of the start
//   otherwise:          waiting * service_time / slots, the time in which those who wait are served
//
// rounded up to whole seconds, at least 1 s, at most 120 s: a longer guess is no better than a
// client's own patience. Worked example: 30 requests wait for 4 slots that each serve one in 2 s:
// 15 s.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace kelvin::queue {

struct Outlook {
  std::uint64_t waiting = 0;
  std::uint64_t slots = 0;  // of ready replicas; 0: nothing is ready
  Duration service_time{};  // of one request; 0: unknown
  Duration wake_time{};     // what is left of a start, where nothing is ready; 0: unknown
};

[[nodiscard]] Duration retry_after(const Outlook& outlook);

// Average time for which one request holds a slot: reports weigh by their replies, the past fades
// by half with every kHalfLife replies.
class ServiceTime {
 public:
  static constexpr std::uint32_t kHalfLife = 64;
  void add(Duration request_time, std::uint32_t answered);
  [[nodiscard]] Duration value() const { return value_; }  // 0: nothing was measured

 private:
  Duration value_{};
  std::uint64_t weight_ = 0;  // replies that stand behind the value, at most kHalfLife
};

}  // namespace kelvin::queue
