#include "cli/management_door.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace kelvin::cli {
namespace {

class Counting final : public ports::Management {
 public:
  void take(int fd, std::string received) override {
    const os::Fd closed(fd);
    heard += received + " ";
  }
  std::string heard;
};

int some_fd() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

TEST(ManagementDoor, HoldsConnectionsUntilItIsOpenedAgain) {
  ManagementDoor door;
  Counting first;
  Counting second;
  door.take(some_fd(), "a");
  door.open(first);
  door.take(some_fd(), "b");
  door.hold();
  door.take(some_fd(), "c");
  EXPECT_EQ(first.heard, "a b ");
  door.open(second);
  EXPECT_EQ(second.heard, "c ");
}

TEST(ManagementDoor, ClosesWhatIsMoreThanItHolds) {
  ManagementDoor door;
  for (std::size_t i = 0; i < ManagementDoor::kHeldMax; ++i) door.take(some_fd(), "x");
  const int last = some_fd();
  door.take(last, "y");
  EXPECT_EQ(::fcntl(last, F_GETFD), -1);
}

}  // namespace
}  // namespace kelvin::cli
