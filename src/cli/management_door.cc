#include "cli/management_door.h"

#include <utility>

namespace kelvin::cli {

void ManagementDoor::open(ports::Management& behind) {
  const std::scoped_lock lock(mutex_);
  behind_ = &behind;
  for (Held& one : std::exchange(held_, {}))
    behind.take(one.socket.release(), std::move(one.received));
}

void ManagementDoor::hold() {
  const std::scoped_lock lock(mutex_);
  behind_ = nullptr;
}

void ManagementDoor::take(int fd, std::string received) {
  os::Fd socket(fd);
  const std::scoped_lock lock(mutex_);
  if (behind_ != nullptr) return behind_->take(socket.release(), std::move(received));
  if (held_.size() < kHeldMax) held_.push_back({std::move(socket), std::move(received)});
}

}  // namespace kelvin::cli
