// record_queue: finished requests on their way from the loops to one thread that writes about them.
//
// One ring per loop, so that a loop waits for nobody. A ring that is full loses the record, counted: requests go on.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "gateway/request_facts.h"
#include "os/event_fd.h"
#include "os/ring.h"

namespace kelvin::gateway {

class RecordQueue {
 public:
  // `room`: records that wait, per loop.
  static Result<std::unique_ptr<RecordQueue>> create(std::uint32_t loops, std::size_t room);

  // On the thread of this loop.
  void push(std::uint32_t loop, const RequestFacts& facts);
  // From any thread: wait() and rest() return at once from here on.
  void end();

  [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

  // --- the one thread that reads ---
  // Until there is a record or the end has come; false: the end, and nothing is left.
  bool wait();
  // Lets records come together for this long, so that a busy loop need not wake anybody for each; shorter at the end.
  void rest(Duration time);
  [[nodiscard]] bool is_ending() const { return is_ending_.load(std::memory_order_acquire); }
  // Gives away what is there, at most `most` records; how many that was.
  template <class Take>
  std::size_t take(std::size_t most, Take&& take_one) {
    std::size_t taken = 0;
    for (const auto& ring : rings_) {
      while (taken < most) {
        const RequestRecord* record = ring->front();
        if (record == nullptr) break;
        take_one(*record);
        ring->release();
        ++taken;
      }
    }
    return taken;
  }

 private:
  RecordQueue(std::uint32_t loops, std::size_t room, os::EventFd wake);
  bool is_empty() const;
  void poll(int timeout_ms) const;

  std::vector<std::unique_ptr<os::Ring<RequestRecord>>> rings_;
  os::EventFd wake_;
  std::atomic<bool> is_asleep_{false};
  std::atomic<bool> is_ending_{false};
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace kelvin::gateway
