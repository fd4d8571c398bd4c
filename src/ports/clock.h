// clock: the only source of time.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace kelvin::ports {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;
  // Nanoseconds since the Unix epoch that a moment corresponds to, by the wall clock as it stands.
  virtual std::int64_t unix_ns(Instant at) const = 0;
};

}  // namespace kelvin::ports
