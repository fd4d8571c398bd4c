// ground: what every part of a simulation stands on: time, chance, the trace, and the way to say that a promise broke.
#pragma once

#include <cstdio>
#include <stdexcept>
#include <string>

#include "base/random.h"
#include "sim/checker.h"
#include "sim/timeline.h"

namespace kelvin::sim {

// A promise is broken. Ends the simulation of this seed.
class Violation : public std::runtime_error {
 public:
  Violation(Checker checker, const std::string& what)
      : std::runtime_error(what), checker_(checker) {}
  [[nodiscard]] Checker checker() const { return checker_; }

 private:
  Checker checker_;
};

struct Chance {
  Random random;

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
};

struct Ground : Chance {
  Timeline timeline;
  bool is_traced = false;
  Instant stalled_until;  // the platform process gets no processor until then
  Duration lost{};        // time in which the platform could do nothing: clock jumps and stalls
  // Since then messages have come in time and the platform could act. What must happen "soon" is counted from here.
  Instant calm_since;

  [[nodiscard]] Instant now() const { return timeline.now(); }
  // Without what is left of a stall that is under way.
  [[nodiscard]] Duration lost_before_now() const {
    return lost - std::max<Duration>(stalled_until - now(), Duration{});
  }
  // How long something has been so while all was calm.
  [[nodiscard]] Duration calm_for(Instant since) const {
    return now() - std::max(since, calm_since);
  }

  // `make_text` runs only when somebody reads the trace.
  template <class MakeText>
  void trace(MakeText make_text) const {
    if (!is_traced) return;
    const std::string text = make_text();
    std::printf("%14.6f %s\n", static_cast<double>(now().ns) / 1e9, text.c_str());
  }
};

[[noreturn]] inline void violate(Checker checker, const std::string& what) {
  throw Violation(checker, what);
}

inline void require(Checker checker, bool holds, const char* what) {
  if (!holds) violate(checker, what);
}

}  // namespace kelvin::sim
