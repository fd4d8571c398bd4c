// timer_fd: wakes a loop at a moment.
#include "os/timer_fd.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "os/system_error.h"

namespace kelvin::os {

Result<TimerFd> TimerFd::create() {
  Fd fd(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!fd.is_open()) return fail_errno("timerfd", errno);
  return TimerFd(std::move(fd));
}

void TimerFd::set(Instant at) const {
  itimerspec when{};
  if (at != Instant::never()) {
    // Zero would stop the timer; one nanosecond after boot has passed for sure.
    const std::int64_t ns = std::max<std::int64_t>(at.ns, 1);
    when.it_value = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  }
  ::timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void TimerFd::drain() const {
  std::uint64_t count = 0;
  static_cast<void>(!::read(fd_.get(), &count, sizeof count));
}

}  // namespace kelvin::os
