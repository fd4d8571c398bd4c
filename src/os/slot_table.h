// slot_table: who has work, in memory that outlives the platform process.
//
// One entry per replica in a memfd that the keeper holds. The slot word {closed, generation, in flight} is the only
// truth about a replica's work: gateway loops take and give back slots, control closes and opens words, all by
// compare-and-swap. A word of another generation belongs to another replica and is never changed by mistake.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "base/time.h"

namespace kelvin::os {

struct SlotWord {
  bool is_closed = true;
  std::uint32_t generation = 0;  // 31 bits
  std::uint32_t in_flight = 0;

  static constexpr SlotWord unpack(std::uint64_t raw) {
    return {(raw >> 63) != 0, static_cast<std::uint32_t>(raw >> 32) & 0x7fffffffU,
            static_cast<std::uint32_t>(raw)};
  }
  constexpr std::uint64_t pack() const {
    return (is_closed ? 1ULL << 63 : 0) |
           (static_cast<std::uint64_t>(generation & 0x7fffffffU) << 32) | in_flight;
  }
};

struct alignas(64) SlotEntry {
  std::atomic<std::uint64_t> word{SlotWord{}.pack()};
  std::atomic<std::int64_t> last_used_ns{0};  // when the last slot was given back, CLOCK_BOOTTIME
};
static_assert(sizeof(SlotEntry) == 64 && std::atomic<std::uint64_t>::is_always_lock_free);

// Does not own the memory.
class SlotTable {
 public:
  explicit SlotTable(std::span<SlotEntry> entries) : entries_(entries) {}

  std::uint32_t size() const { return static_cast<std::uint32_t>(entries_.size()); }
  SlotWord read(std::uint32_t slot) const;

  struct Key {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
  };

  // True: one of `limit` slots is the caller's until it calls give_back.
  [[nodiscard]] bool try_take(Key key, std::uint32_t limit);

  struct GivenBack {
    bool was_last_of_closed = false;  // the caller posts SlotsDrained
  };
  GivenBack give_back(Key key, Instant now);

  void open(Key key);
  struct Closed {
    bool is_closed = false;
    std::uint32_t in_flight = 0;
    Instant last_used;
  };
  Closed close_if_idle_since(Key key, Instant idle_since);
  Closed close(Key key);

  // The largest generation in the table.
  std::uint32_t generation_max() const;

 private:
  std::span<SlotEntry> entries_;
};

}  // namespace kelvin::os
