// event_fd: wakes a loop from another thread.
#include "os/event_fd.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "os/system_error.h"

namespace kelvin::os {

Result<EventFd> EventFd::create() {
  Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.is_open()) return fail_errno("eventfd", errno);
  return EventFd(std::move(fd));
}

void EventFd::signal() const {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the loop is awake anyway.
  static_cast<void>(!::write(fd_.get(), &one, sizeof one));
}

std::uint64_t EventFd::drain() const {
  std::uint64_t count = 0;
  return ::read(fd_.get(), &count, sizeof count) == sizeof count ? count : 0;
}

}  // namespace kelvin::os
