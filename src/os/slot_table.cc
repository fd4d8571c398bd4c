// slot_table: who has work, in memory that outlives the platform process.
//
// Every change is one compare-and-swap on the whole word, so each sees closed bit, generation and
// count as one value. give_back stores last_used before it lowers the count: whoever sees the count
// at 0 sees the time too.
//
// Closing for Park has one gap that a swap alone cannot see: between reading last_used and the
// swap, another thread may take a slot and give it back, which leaves the word as it was but
// last_used younger. So last_used is read again after the swap, and a younger one opens the word
// again. A loop that was refused in between asks control by a Demand.
#include "os/slot_table.h"

#include "base/check.h"

namespace kelvin::os {
namespace {

void raise_to(std::atomic<std::int64_t>& value, std::int64_t at_least) {
  std::int64_t seen = value.load(std::memory_order_relaxed);
  while (seen < at_least &&
         !value.compare_exchange_weak(seen, at_least, std::memory_order_relaxed)) {
  }
}

// `by` is 1 or -1.
void change_held(SlotWord& word, SlotSide side, int by) {
  word.in_flight += static_cast<std::uint32_t>(by);
  if (side == SlotSide::Second) word.of_second += static_cast<std::uint32_t>(by);
}

}  // namespace

SlotWord SlotTable::read(std::uint32_t slot) const {
  KELVIN_CHECK(slot < entries_.size());
  return SlotWord::unpack(entries_[slot].word.load(std::memory_order_acquire));
}

bool SlotTable::try_take(Key key, std::uint32_t limit) {
  KELVIN_CHECK(key.slot < entries_.size());
  auto& word = entries_[key.slot].word;
  std::uint64_t raw = word.load(std::memory_order_acquire);
  while (true) {
    SlotWord seen = SlotWord::unpack(raw);
    if (seen.is_closed || seen.generation != key.generation || seen.in_flight >= limit ||
        seen.held_by(side_) >= kSlotsPerSideMax)
      return false;
    change_held(seen, side_, 1);
    if (word.compare_exchange_weak(raw, seen.pack(), std::memory_order_acq_rel,
                                   std::memory_order_acquire))
      return true;
  }
}

SlotTable::GivenBack SlotTable::give_back(Key key, Instant now) {
  KELVIN_CHECK(key.slot < entries_.size());
  SlotEntry& entry = entries_[key.slot];
  std::uint64_t raw = entry.word.load(std::memory_order_acquire);
  SlotWord seen = SlotWord::unpack(raw);
  // Another generation means that control gave this replica up while the request ran: nothing is
  // left to give back.
  if (seen.generation != key.generation || seen.held_by(side_) == 0) return {};
  raise_to(entry.last_used_ns, now.ns);
  while (true) {
    seen = SlotWord::unpack(raw);
    if (seen.generation != key.generation || seen.held_by(side_) == 0) return {};
    change_held(seen, side_, -1);
    if (entry.word.compare_exchange_weak(raw, seen.pack(), std::memory_order_acq_rel,
                                         std::memory_order_acquire)) {
      return {.was_last_of_closed = seen.is_closed && seen.in_flight == 0};
    }
  }
}

void SlotTable::open(Key key) {
  KELVIN_CHECK(key.slot < entries_.size());
  SlotEntry& entry = entries_[key.slot];
  entry.last_used_ns.store(0, std::memory_order_relaxed);
  entry.word.store(SlotWord{.is_closed = false, .generation = key.generation}.pack(),
                   std::memory_order_release);
}

SlotTable::Closed SlotTable::close_if_idle_since(Key key, Instant idle_since) {
  KELVIN_CHECK(key.slot < entries_.size());
  SlotEntry& entry = entries_[key.slot];
  std::uint64_t raw = entry.word.load(std::memory_order_acquire);
  while (true) {
    SlotWord seen = SlotWord::unpack(raw);
    const Instant used{entry.last_used_ns.load(std::memory_order_relaxed)};
    const Closed refused{.in_flight = seen.in_flight, .last_used = used};
    if (seen.generation != key.generation) return {};
    if (seen.in_flight > 0 || used > idle_since) return refused;
    if (seen.is_closed) return {.is_closed = true, .last_used = used};
    seen.is_closed = true;
    const std::uint64_t closed = seen.pack();
    if (!entry.word.compare_exchange_weak(raw, closed, std::memory_order_acq_rel,
                                          std::memory_order_acquire))
      continue;
    const Instant used_after{entry.last_used_ns.load(std::memory_order_relaxed)};
    if (used_after <= idle_since) return {.is_closed = true, .last_used = used_after};
    seen.is_closed = false;
    entry.word.store(seen.pack(),
                     std::memory_order_release);  // closed and empty: nobody else changes it
    return {.last_used = used_after};
  }
}

SlotTable::Closed SlotTable::close(Key key) {
  KELVIN_CHECK(key.slot < entries_.size());
  SlotEntry& entry = entries_[key.slot];
  std::uint64_t raw = entry.word.load(std::memory_order_acquire);
  while (true) {
    SlotWord seen = SlotWord::unpack(raw);
    if (seen.generation != key.generation) return {};
    seen.is_closed = true;
    if (entry.word.compare_exchange_weak(raw, seen.pack(), std::memory_order_acq_rel,
                                         std::memory_order_acquire)) {
      return {.is_closed = true,
              .in_flight = seen.in_flight,
              .last_used = {entry.last_used_ns.load(std::memory_order_relaxed)}};
    }
  }
}

void SlotTable::clear(SlotSide side) {
  for (SlotEntry& entry : entries_) {
    std::uint64_t raw = entry.word.load(std::memory_order_acquire);
    SlotWord cleared;
    do {
      cleared = SlotWord::unpack(raw);
      cleared.in_flight -= cleared.held_by(side);
      if (side == SlotSide::Second) cleared.of_second = 0;
    } while (!entry.word.compare_exchange_weak(raw, cleared.pack(), std::memory_order_acq_rel,
                                               std::memory_order_acquire));
  }
}

std::uint32_t SlotTable::generation_max() const {
  std::uint32_t most = 0;
  for (const SlotEntry& entry : entries_) {
    const std::uint32_t generation =
        SlotWord::unpack(entry.word.load(std::memory_order_acquire)).generation;
    if (generation > most) most = generation;
  }
  return most;
}

}  // namespace kelvin::os
