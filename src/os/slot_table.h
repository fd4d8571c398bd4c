// slot_table: who has work, in memory that outlives the platform process.
//
// One entry per replica in a memfd that the keeper holds. The slot word {closed, generation, in flight} is the only
// truth about a replica's work: gateway loops take and give back slots, control closes and opens words, all by
// compare-and-swap. A word of another generation belongs to another replica and is never changed by mistake.
//
// While a binary is being upgraded, two platform processes carry requests. The count has a half for each, so that what
// a process held can be taken back when it dies; everybody else sees the sum.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "base/time.h"

namespace kelvin::os {

// Which half of the counts a process changes: the other one than the process that it takes over from.
enum class SlotSide : std::uint8_t { First, Second };
constexpr SlotSide other_side(SlotSide side) {
  return side == SlotSide::First ? SlotSide::Second : SlotSide::First;
}
constexpr std::uint32_t kSlotsPerSideMax = 0xffff;

struct SlotWord {
  bool is_closed = true;
  std::uint32_t generation = 0;  // 31 bits
  std::uint32_t in_flight = 0;   // of both sides
  std::uint32_t of_second = 0;   // part of in_flight

  static constexpr SlotWord unpack(std::uint64_t raw) {
    const auto first = static_cast<std::uint32_t>(raw & kSlotsPerSideMax);
    const auto second = static_cast<std::uint32_t>((raw >> 16) & kSlotsPerSideMax);
    return {(raw >> 63) != 0, static_cast<std::uint32_t>(raw >> 32) & 0x7fffffffU, first + second,
            second};
  }
  constexpr std::uint64_t pack() const {
    return (is_closed ? 1ULL << 63 : 0) |
           (static_cast<std::uint64_t>(generation & 0x7fffffffU) << 32) |
           (static_cast<std::uint64_t>(of_second) << 16) | (in_flight - of_second);
  }
  constexpr std::uint32_t held_by(SlotSide side) const {
    return side == SlotSide::Second ? of_second : in_flight - of_second;
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
  explicit SlotTable(std::span<SlotEntry> entries, SlotSide side = SlotSide::First)
      : entries_(entries), side_(side) {}

  std::uint32_t size() const { return static_cast<std::uint32_t>(entries_.size()); }
  SlotWord read(std::uint32_t slot) const;

  struct Key {
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
  };

  SlotSide side() const { return side_; }
  // The same words as the other process changes them.
  SlotTable of_other_side() const { return SlotTable(entries_, other_side(side_)); }

  // True: one of `limit` slots (at most kSlotsPerSideMax) is the caller's until it calls give_back.
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

  // Everything that a process of that side held is given back; it has ended.
  void clear(SlotSide side);

  // The largest generation in the table.
  std::uint32_t generation_max() const;

 private:
  std::span<SlotEntry> entries_;
  SlotSide side_;
};

}  // namespace kelvin::os
