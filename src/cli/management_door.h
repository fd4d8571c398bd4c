// management_door: where the gateway hands over connections for the management API, whoever answers them just now.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <vector>

#include "os/fd.h"
#include "ports/management.h"

namespace kelvin::cli {

// Starts out holding: connections wait until somebody stands behind the door again. Beyond kHeldMax they are closed.
class ManagementDoor final : public ports::Management {
 public:
  static constexpr std::size_t kHeldMax = 256;

  // What was held goes to `behind` at once. It outlives this, or the next hold().
  void open(ports::Management& behind);
  void hold();
  void take(int fd, std::string received) override;

 private:
  struct Held {
    os::Fd socket;
    std::string received;
  };
  std::mutex mutex_;
  ports::Management* behind_ = nullptr;  // guarded by mutex_, as held_
  std::vector<Held> held_;
};

}  // namespace kelvin::cli
