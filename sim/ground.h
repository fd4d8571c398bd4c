// ground: what every part of a simulation stands on: time, chance, the trace, and the way to say that a promise broke.
#pragma once

#include <cstdio>
#include <stdexcept>
#include <string>

#include "base/random.h"
#include "sim/timeline.h"

namespace kelvin::sim {

// A promise is broken. Ends the simulation of this seed.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Ground {
  Timeline timeline;
  Random random;
  bool is_traced = false;

  [[nodiscard]] Instant now() const { return timeline.now(); }

  Duration between(Duration least, Duration most) {
    return least + Duration(static_cast<std::int64_t>(
                       random.below(static_cast<std::uint64_t>((most - least).count()) + 1)));
  }
  // Mostly near `least`, now and then near `most`: how long things take on computers.
  Duration skewed(Duration least, Duration most) {
    const Duration once = between(least, most);
    return std::min(between(least, once), between(least, once));
  }
  bool one_in(std::uint64_t n) { return random.below(n) == 0; }
  std::uint64_t count(std::uint64_t least, std::uint64_t most) {
    return least + random.below(most - least + 1);
  }

  // `make_text` runs only when somebody reads the trace.
  template <class MakeText>
  void trace(MakeText make_text) const {
    if (!is_traced) return;
    const std::string text = make_text();
    std::printf("%14.6f %s\n", static_cast<double>(now().ns) / 1e9, text.c_str());
  }
};

[[noreturn]] inline void violate(const std::string& what) { throw Violation(what); }

inline void require(bool holds, const char* what) {
  if (!holds) violate(what);
}

}  // namespace kelvin::sim
