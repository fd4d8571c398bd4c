// slot_memory: the shared memory that a slot table lies in.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/result.h"
#include "os/fd.h"
#include "os/slot_table.h"

namespace kelvin::os {

constexpr std::uint32_t kSlotCount = 4096;

// A memfd of kSlotCount entries, sealed against change of size, mapped for as long as this lives.
// Every process that maps the same descriptor sees the same words.
class SlotMemory {
 public:
  // Every word closed, generation 0.
  static Result<SlotMemory> create();
  // Invalid when the descriptor holds something else.
  static Result<SlotMemory> map(Fd fd);
  SlotMemory(SlotMemory&& other) noexcept;
  SlotMemory& operator=(SlotMemory&&) = delete;
  ~SlotMemory();

  SlotTable table(SlotSide side = SlotSide::First) const {
    return SlotTable({entries_, kSlotCount}, side);
  }
  int fd() const { return fd_.get(); }

 private:
  SlotMemory(Fd fd, SlotEntry* entries) : fd_(std::move(fd)), entries_(entries) {}
  Fd fd_;
  SlotEntry* entries_ = nullptr;
};

}  // namespace kelvin::os
