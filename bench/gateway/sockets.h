// sockets: what the load tools need of the kernel: loopback TCP, epoll, the clock, and limits raised.
//
// The tools share no code with the gateway that they measure. A failed system call that no tool can go on without ends the
// process with the call's name: a bench that cannot run says why and measures nothing.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <span>
#include <string>

namespace bench {

// CLOCK_MONOTONIC: one clock for all processes of a machine, so that a difference between two of them is a delay.
std::uint64_t now_ns();
// Processor time that the process has used on all its threads. 0 when it is gone.
std::uint64_t processor_ns(int pid);
// Prints one line and exits with 1.
[[noreturn]] void give_up(const std::string& why);
// `result` of a system call; gives up when it is negative.
int must(int result, const char* what);

// As many descriptors as the system lets this user have, and timers that wake within a microsecond.
void raise_limits();

int listen_on(std::uint16_t port);
// Connects without waiting. Connections with different numbers come from different loopback addresses, so that neither ports
// nor limits per address run out.
int connect_to(std::uint16_t port, std::uint32_t number);
// The same, and waits until the connection stands: a full queue of the listener makes the kernel try again a second later.
int connect_and_wait(std::uint16_t port, std::uint32_t number);
// -1 when the queue of the listener is empty, or the descriptors are.
int accept_from(int listener);

class Epoll {
 public:
  Epoll();
  Epoll(const Epoll&) = delete;
  Epoll& operator=(const Epoll&) = delete;
  ~Epoll();

  void add(int fd, std::uint32_t events, std::uint64_t tag) const;
  void change(int fd, std::uint32_t events, std::uint64_t tag) const;
  // Until something is ready or the clock says `until_ns`. The span is valid until the next call.
  std::span<const epoll_event> wait(std::uint64_t until_ns);

 private:
  static constexpr int kEventsMax = 512;
  int fd_;
  epoll_event events_[kEventsMax];
};

}  // namespace bench
