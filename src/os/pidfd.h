// pidfd: a process that cannot be mistaken for another one with the same number.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/result.h"
#include "os/fd.h"

namespace kelvin::os {

// How a child ended: by itself with `code`, or by the signal `code`.
struct ExitStatus {
  bool by_signal = false;
  int code = 0;
  bool operator==(const ExitStatus&) const = default;
};

// Readable (for poll and epoll) once the process is dead, whoever its parent is.
class Pidfd {
 public:
  // NotFound when no such process exists.
  static Result<Pidfd> open(pid_t pid);
  Pidfd() = default;
  explicit Pidfd(Fd fd) : fd_(std::move(fd)) {}

  // NotFound when it is dead and reaped.
  Status signal(int number) const;
  // For children only: the status once it is dead, absent while it lives. With keep_zombie its
  // number stays taken until a later call reaps it. Unavailable when it is no child of ours.
  enum class Reap { Yes, KeepZombie };
  Result<std::optional<ExitStatus>> exit_status(Reap reap) const;

  bool is_open() const { return fd_.is_open(); }
  int fd() const { return fd_.get(); }

 private:
  Fd fd_;
};

}  // namespace kelvin::os
