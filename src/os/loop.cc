// loop: one thread's descriptors, timers and messages from other threads, one at a time.
#include "os/loop.h"

#include <algorithm>
#include <array>

#include "os/clock.h"

namespace kelvin::os {

Result<std::unique_ptr<Loop>> Loop::create() {
  KELVIN_TRY(Epoll epoll, Epoll::create());
  KELVIN_TRY(EventFd wake, EventFd::create());
  KELVIN_TRY_VOID(epoll.add(wake.fd(), EPOLLIN, 0));
  return std::unique_ptr<Loop>(new Loop(std::move(epoll), std::move(wake)));
}

Result<Loop::WatchId> Loop::watch(int fd, std::uint32_t events,
                                  std::function<void(std::uint32_t)> ready) {
  const WatchId id = ++last_id_;
  KELVIN_TRY_VOID(epoll_.add(fd, events, id));
  watches_.emplace(id, std::make_shared<Watch>(Watch{fd, std::move(ready)}));
  return id;
}

void Loop::unwatch(WatchId id) {
  const auto found = watches_.find(id);
  if (found == watches_.end()) return;
  epoll_.remove(found->second->fd);
  watches_.erase(found);
}

Loop::TimerId Loop::at(Instant at, std::function<void()> due) {
  const TimerId id{at, ++last_id_};
  timers_.emplace(id, std::move(due));
  return id;
}

void Loop::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }
  wake_.signal();
}

void Loop::stop() {
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
  }
  wake_.signal();
}

void Loop::run() {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (is_stopped_) return;
    }
    run_once(Instant::never());
  }
}

void Loop::run_once(Instant until) {
  const Instant next = timers_.empty() ? until : std::min(until, timers_.begin()->first.first);
  std::optional<Duration> timeout;
  if (next != Instant::never()) timeout = std::max(next - boot_now(), Duration::zero());
  std::array<epoll_event, 64> room{};
  for (const epoll_event& event : epoll_.wait(room, timeout)) {
    const std::uint64_t tag = event.data.u64;  // the struct is packed: no reference into it
    if (tag == 0) {
      wake_.drain();
      run_posted();
      continue;
    }
    // Looked up each time: an earlier callback of this round may have removed it.
    const auto found = watches_.find(tag);
    if (found == watches_.end()) continue;
    const std::shared_ptr<Watch> watch = found->second;  // it may remove itself while it runs
    watch->ready(event.events);
  }
  run_due();
}

void Loop::run_due() {
  const Instant now = boot_now();
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    const auto due = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    due();
  }
}

void Loop::run_posted() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(posted_);
  }
  for (const auto& task : tasks) task();
}

}  // namespace kelvin::os
