// time: moments and spans; nothing here reads a clock.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <limits>

namespace kelvin {

using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

// Nanoseconds since the machine booted (CLOCK_BOOTTIME), so that a moment means the same to the platform, the
// keeper and a platform that starts later on the same boot. Wall time is attached where a row leaves for the store.
struct Instant {
  std::int64_t ns = 0;
  auto operator<=>(const Instant&) const = default;

  static constexpr Instant never() { return {std::numeric_limits<std::int64_t>::max()}; }
};

constexpr Instant operator+(Instant t, Duration d) { return {t.ns + d.count()}; }
constexpr Instant operator-(Instant t, Duration d) { return {t.ns - d.count()}; }
constexpr Duration operator-(Instant a, Instant b) { return Duration(a.ns - b.ns); }

// A half-open span [from, to).
struct Span {
  Instant from;
  Instant to;
  auto operator<=>(const Span&) const = default;
};

constexpr std::int64_t whole_ms(Duration d) { return d.count() / 1'000'000; }

}  // namespace kelvin
