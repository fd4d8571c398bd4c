// allocations: how often and how much this program has asked for from the heap; its operator new counts.
#pragma once

#include <cstdint>

namespace bench {

struct Allocations {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  std::int64_t live_bytes = 0;  // asked for and not given back, with what malloc rounds up

  friend Allocations operator-(const Allocations& a, const Allocations& b) {
    return {a.count - b.count, a.bytes - b.bytes, a.live_bytes - b.live_bytes};
  }
};

// Of the calling thread's program so far. Counted without atomics: for programs with one thread.
[[nodiscard]] Allocations allocations();

}  // namespace bench
