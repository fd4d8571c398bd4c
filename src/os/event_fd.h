// event_fd: wakes a loop from another thread.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "os/fd.h"

namespace kelvin::os {

// Readable from the first signal() until drain(). signal() may be called from any thread.
class EventFd {
 public:
  static Result<EventFd> create();
  void signal() const;
  // Signals since the last drain; 0 when there were none.
  std::uint64_t drain() const;
  int fd() const { return fd_.get(); }

 private:
  explicit EventFd(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace kelvin::os
