// ring: a bounded queue from one thread to one other, without a lock.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include "base/check.h"

namespace kelvin::os {

// One thread calls the functions of the writer, one other those of the reader. All room is made at the start.
template <class T>
class Ring {
 public:
  explicit Ring(std::size_t capacity) : slots_(capacity) { KELVIN_CHECK(capacity > 0); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // --- the writer ---
  // The slot that publish() passes on; null while the ring is full. What an earlier turn left in it is still there.
  [[nodiscard]] T* free_slot() {
    const std::size_t next = written_.load(std::memory_order_relaxed);
    if (next - read_.load(std::memory_order_acquire) == slots_.size()) return nullptr;
    return &slots_[next % slots_.size()];
  }
  void publish() {
    written_.store(written_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // --- the reader ---
  // The oldest one, which stays the reader's until release(); null when there is none.
  [[nodiscard]] const T* front() const {
    const std::size_t next = read_.load(std::memory_order_relaxed);
    if (next == written_.load(std::memory_order_acquire)) return nullptr;
    return &slots_[next % slots_.size()];
  }
  void release() {
    read_.store(read_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  [[nodiscard]] std::size_t capacity() const { return slots_.size(); }

 private:
  std::vector<T> slots_;
  // Counters that only grow; each on a cache line of its own.
  alignas(64) std::atomic<std::size_t> written_{0};
  alignas(64) std::atomic<std::size_t> read_{0};
};

}  // namespace kelvin::os
