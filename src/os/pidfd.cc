// pidfd: a process that cannot be mistaken for another one with the same number.
#include "os/pidfd.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "os/system_error.h"

namespace kelvin::os {

Result<Pidfd> Pidfd::open(pid_t pid) {
  Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd.is_open()) return fail_errno("open process " + std::to_string(pid), errno);
  return Pidfd(std::move(fd));
}

Status Pidfd::signal(int number) const {
  if (::syscall(SYS_pidfd_send_signal, fd_.get(), number, nullptr, 0) == 0) return {};
  return fail_errno("send signal " + std::to_string(number), errno);
}

Result<std::optional<ExitStatus>> Pidfd::exit_status(Reap reap) const {
  siginfo_t found{};
  const int flags = WEXITED | WNOHANG | (reap == Reap::KeepZombie ? WNOWAIT : 0);
  if (::waitid(P_PIDFD, static_cast<id_t>(fd_.get()), &found, flags) != 0) {
    return fail_errno("wait for process", errno);
  }
  if (found.si_pid == 0) return std::optional<ExitStatus>{};
  return std::optional(
      ExitStatus{.by_signal = found.si_code != CLD_EXITED, .code = found.si_status});
}

}  // namespace kelvin::os
