// timer_fd: wakes a loop at a moment.
#pragma once

#include "base/result.h"
#include "base/time.h"
#include "os/fd.h"

namespace kelvin::os {

// Readable from the moment set until drain(). Runs on CLOCK_BOOTTIME, as Instant does.
class TimerFd {
 public:
  static Result<TimerFd> create();
  // Replaces the moment set before; one that has passed fires at once. Instant::never() stops the
  // timer.
  void set(Instant at) const;
  void drain() const;
  int fd() const { return fd_.get(); }

 private:
  explicit TimerFd(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace kelvin::os
