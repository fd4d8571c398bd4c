// epoll: waits for many descriptors at once.
#include "os/epoll.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "base/check.h"
#include "os/system_error.h"

namespace kelvin::os {

Result<Epoll> Epoll::create() {
  Fd fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!fd.is_open()) return fail_errno("epoll_create1", errno);
  return Epoll(std::move(fd));
}

Status Epoll::add(int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  if (::epoll_ctl(fd_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno("epoll add", errno);
  return {};
}

Status Epoll::change(int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  if (::epoll_ctl(fd_.get(), EPOLL_CTL_MOD, fd, &event) != 0)
    return fail_errno("epoll change", errno);
  return {};
}

void Epoll::remove(int fd) { ::epoll_ctl(fd_.get(), EPOLL_CTL_DEL, fd, nullptr); }

std::span<epoll_event> Epoll::wait(std::span<epoll_event> events, std::optional<Duration> timeout) {
  KELVIN_CHECK(!events.empty());
  const int room = static_cast<int>(std::min<std::size_t>(events.size(), 4096));
  const std::int64_t ns = timeout ? std::max<std::int64_t>(timeout->count(), 0) : -1;
  int got = -1;
#ifdef SYS_epoll_pwait2
  timespec span{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  got = static_cast<int>(::syscall(SYS_epoll_pwait2, fd_.get(), events.data(), room,
                                   ns < 0 ? nullptr : &span, nullptr, 0));
  if (got < 0 && errno != ENOSYS) return {};
#endif
  if (got < 0) {
    const std::int64_t ms =
        ns < 0 ? -1 : std::min<std::int64_t>((ns + 999'999) / 1'000'000, INT32_MAX);
    got = ::epoll_wait(fd_.get(), events.data(), room, static_cast<int>(ms));
  }
  return got <= 0 ? std::span<epoll_event>{} : events.first(static_cast<std::size_t>(got));
}

}  // namespace kelvin::os
