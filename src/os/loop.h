// loop: one thread's descriptors, timers and messages from other threads, one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "os/epoll.h"
#include "os/event_fd.h"

namespace kelvin::os {

// Everything but post() and stop() belongs to the thread that runs it (before run(): to its maker). Callbacks may add
// and remove watches and timers, their own too.
class Loop {
 public:
  using WatchId = std::uint64_t;
  using TimerId = std::pair<Instant, std::uint64_t>;

  static Result<std::unique_ptr<Loop>> create();

  // Calls `ready` with the epoll events each time the descriptor has some. The descriptor stays the caller's and must
  // be unwatched before it is closed.
  Result<WatchId> watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready);
  void unwatch(WatchId id);

  // Calls `due` once, at `at` or a little later.
  TimerId at(Instant at, std::function<void()> due);
  void cancel(const TimerId& id) { timers_.erase(id); }

  // Any thread: `task` runs on the loop's thread, in the order of posting. After stop() it may never run.
  void post(std::function<void()> task);
  // Any thread: run() returns soon.
  void stop();

  void run();
  // One round of run(): waits until something happens, `until` at the latest.
  void run_once(Instant until);

 private:
  struct Watch {
    int fd = -1;
    std::function<void(std::uint32_t)> ready;
  };

  Loop(Epoll epoll, EventFd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}
  void run_due();
  void run_posted();

  Epoll epoll_;
  EventFd wake_;
  std::map<WatchId, std::shared_ptr<Watch>> watches_;
  std::map<TimerId, std::function<void()>> timers_;
  std::uint64_t last_id_ = 0;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_, as is_stopped_
  bool is_stopped_ = false;
};

}  // namespace kelvin::os
