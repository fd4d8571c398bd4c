// clock: the machine's clocks.
#include "os/clock.h"

#include <time.h>

namespace kelvin::os {
namespace {

std::int64_t read_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Instant boot_now() { return {read_ns(CLOCK_BOOTTIME)}; }
std::int64_t unix_now_ns() { return read_ns(CLOCK_REALTIME); }
std::int64_t unix_now_ms() { return unix_now_ns() / 1'000'000; }
std::int64_t unix_ns_at(Instant at) { return unix_now_ns() + (at - boot_now()).count(); }

}  // namespace kelvin::os
