// record_queue: finished requests on their way from the loops to one thread that writes about them.
#include "gateway/record_queue.h"

#include <poll.h>

#include <algorithm>
#include <utility>

namespace kelvin::gateway {

Result<std::unique_ptr<RecordQueue>> RecordQueue::create(std::uint32_t loops, std::size_t room) {
  KELVIN_TRY(os::EventFd wake, os::EventFd::create());
  return std::unique_ptr<RecordQueue>(new RecordQueue(loops, room, std::move(wake)));
}

RecordQueue::RecordQueue(std::uint32_t loops, std::size_t room, os::EventFd wake)
    : wake_(std::move(wake)) {
  for (std::uint32_t i = 0; i < loops; ++i)
    rings_.push_back(std::make_unique<os::Ring<RequestRecord>>(room));
}

void RecordQueue::push(std::uint32_t loop, const RequestFacts& facts) {
  os::Ring<RequestRecord>& ring = *rings_[loop];
  RequestRecord* slot = ring.free_slot();
  if (slot == nullptr) {
    dropped_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  slot->assign(facts);
  ring.publish();
  // The reader says that it sleeps and then looks once more; here the record is shown and then the sleeper looked for.
  // Whichever comes second sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (is_asleep_.load(std::memory_order_relaxed) && is_asleep_.exchange(false)) wake_.signal();
}

void RecordQueue::end() {
  is_ending_.store(true, std::memory_order_release);
  wake_.signal();
}

bool RecordQueue::wait() {
  while (true) {
    is_asleep_.store(true, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const bool ends = is_ending();
    if (!is_empty()) break;
    if (ends) return false;
    poll(-1);
    static_cast<void>(wake_.drain());
  }
  is_asleep_.store(false, std::memory_order_relaxed);
  return true;
}

void RecordQueue::rest(Duration time) {
  // Once the end was asked for, nobody waits any more.
  if (!is_ending()) poll(static_cast<int>(std::clamp<std::int64_t>(whole_ms(time), 0, 60'000)));
}

bool RecordQueue::is_empty() const {
  return std::all_of(rings_.begin(), rings_.end(),
                     [](const auto& ring) { return ring->front() == nullptr; });
}

void RecordQueue::poll(int timeout_ms) const {
  pollfd waited{.fd = wake_.fd(), .events = POLLIN, .revents = 0};
  static_cast<void>(::poll(&waited, 1, timeout_ms));
}

}  // namespace kelvin::gateway
