// signal_fd: signals as something to read.
#pragma once

#include <initializer_list>
#include <optional>

#include "base/result.h"
#include "os/fd.h"

namespace kelvin::os {

// Blocks the signals in the calling thread (and the threads it makes later) and receives them
// instead. Create it in main before any thread exists. They stay blocked when it ends.
class SignalFd {
 public:
  static Result<SignalFd> create(std::initializer_list<int> signals);
  // The next signal received, absent when there is none.
  std::optional<int> read() const;
  int fd() const { return fd_.get(); }

 private:
  explicit SignalFd(Fd fd) : fd_(std::move(fd)) {}
  Fd fd_;
};

}  // namespace kelvin::os
