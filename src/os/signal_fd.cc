// signal_fd: signals as something to read.
#include "os/signal_fd.h"

#include <pthread.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

#include "os/system_error.h"

namespace kelvin::os {

Result<SignalFd> SignalFd::create(std::initializer_list<int> signals) {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : signals) sigaddset(&wanted, number);
  pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  Fd fd(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.is_open()) return fail_errno("signalfd", errno);
  return SignalFd(std::move(fd));
}

std::optional<int> SignalFd::read() const {
  signalfd_siginfo received{};
  if (::read(fd_.get(), &received, sizeof received) != sizeof received) return std::nullopt;
  return static_cast<int>(received.ssi_signo);
}

}  // namespace kelvin::os
