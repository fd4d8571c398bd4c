// levels: for how long the first, second, ... replica of a revision is usually not called for, learned from its own
// history.
//
// Packed, n requests in flight need ceil(n / slots) replicas; what more there is was called for earlier, and how long
// ago says how warm it is worth keeping, whichever replica a stray request has touched since.
//
// Example: 4 slots, 9 requests in flight until 10 s, 3 afterwards: at 30 s the first replica is called for, the second
// and third were so 20 s ago. If 10 requests are in flight at 45 s, a silence of 35 s of the second and third has ended.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace kelvin::warmth {

// The silences of a level that have ended, the latest 64 or so.
//
// They are counted in bins that begin at 2 s, where cooling begins to be allowed, and grow by a quarter of an octave
// up to 5.4 h; longer ones are counted in the last. Before anything was seen, a silence that has lasted s seconds is
// taken to last longer than t with chance (1 + s) / (1 + t), for which the lower envelope of warmth.h is the best rule.
// That prior counts in each bin like two silences that have reached it:
//
//   chance to end in bin i, from s to t = (ended in i + 2 * (1 - (1 + s) / (1 + t))) / (reached i + 2)
//
// so that a single long silence is not taken for a rule.
class Gaps {
 public:
  static constexpr std::size_t kBins = 53;
  // Every older one weighs 63/64 of what it did. Shorter than 2 s it is none.
  void ended(Duration silence);
  [[nodiscard]] bool has_any() const { return has_any_; }
  // For each bin the chance that a silence that has lasted until its beginning ends within it.
  [[nodiscard]] std::array<double, kBins> chances() const;
  // Where it begins; of kBins, where the last one ends.
  [[nodiscard]] static Duration edge(std::size_t bin);

 private:
  std::array<float, kBins> counts_{};
  bool has_any_ = false;
};

class Levels {
 public:
  // Beyond so many, levels share what is learned of the last.
  static constexpr std::size_t kLearnedMax = 64;

  // The first `replicas` are called for throughout that time: a silence of theirs ends where it begins.
  void called(std::uint32_t replicas, Span when);
  // Counted from 0; the beginning of time where it never was.
  [[nodiscard]] Instant last_called(std::size_t level) const;
  // From the first call to the last one.
  [[nodiscard]] Duration known_for() const;
  [[nodiscard]] const Gaps& gaps(std::size_t level) const;

 private:
  std::vector<Instant> last_;
  std::vector<Gaps> gaps_;  // of those whose silences have ended
  Instant first_;
};

// How many requests wait for a replica that wakes, on average over the last 50 wakes or so: what one second of waking
// costs in seconds of patience. One that comes alone counts for all of it; ten that come at once for ten; those that
// come while others serve find a free slot before it is ready, and count for little.
class Waiters {
 public:
  void waited(Duration time);
  void woke(Duration time);
  // In thousandths, from 200 to 64,000; 1,000 before anything was seen. That prior weighs as much as five wakes that
  // take `wake` each.
  [[nodiscard]] std::uint32_t milli(Duration wake) const;

 private:
  double waited_s_ = 0;
  double woke_s_ = 0;
};

}  // namespace kelvin::warmth
