// epoll: waits for many descriptors at once.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "base/time.h"
#include "os/fd.h"

namespace kelvin::os {

// Owned and used by one thread; descriptors stay the caller's. `tag` comes back in
// epoll_event::data.u64.
class Epoll {
 public:
  static Result<Epoll> create();

  // `events` are EPOLLIN, EPOLLOUT, EPOLLET and so on.
  Status add(int fd, std::uint32_t events, std::uint64_t tag);
  Status change(int fd, std::uint32_t events, std::uint64_t tag);
  // A descriptor that is not watched is fine.
  void remove(int fd);

  // Fills `events` and returns the filled part; empty after `timeout` (absent: for ever) or a
  // signal. Timeouts are kept to the microsecond where the kernel can (5.11), else rounded up to
  // milliseconds.
  std::span<epoll_event> wait(std::span<epoll_event> events, std::optional<Duration> timeout);

  int fd() const { return fd_.get(); }

 private:
  explicit Epoll(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace kelvin::os
