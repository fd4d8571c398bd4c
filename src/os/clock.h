// clock: the machine's clocks.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace kelvin::os {

// CLOCK_BOOTTIME: goes on while the machine sleeps, never jumps, means the same to every process of
// this boot.
Instant boot_now();
// Nanoseconds since the Unix epoch by the wall clock.
std::int64_t unix_now_ns();
std::int64_t unix_now_ms();
// Nanoseconds since the Unix epoch that `at` corresponds to, by the wall clock as it stands.
std::int64_t unix_ns_at(Instant at);

}  // namespace kelvin::os
