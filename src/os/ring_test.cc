// Tests of the queue between two threads.
#include "os/ring.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "os/thread.h"

namespace kelvin::os {
namespace {

TEST(Ring, KeepsTheOrderAndSaysWhenItIsFull) {
  Ring<int> ring(3);
  EXPECT_EQ(ring.front(), nullptr);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 3; ++i) {
      int* slot = ring.free_slot();
      ASSERT_NE(slot, nullptr);
      *slot = round * 3 + i;
      ring.publish();
    }
    EXPECT_EQ(ring.free_slot(), nullptr);
    for (int i = 0; i < 3; ++i) {
      ASSERT_NE(ring.front(), nullptr);
      EXPECT_EQ(*ring.front(), round * 3 + i);
      ring.release();
    }
    EXPECT_EQ(ring.front(), nullptr);
  }
}

TEST(Ring, PassesEverythingFromOneThreadToAnother) {
  constexpr std::uint64_t kCount = 50'000;
  Ring<std::uint64_t> ring(1024);
  Thread writer("writer", [&] {
    for (std::uint64_t i = 0; i < kCount;) {
      std::uint64_t* slot = ring.free_slot();
      if (slot == nullptr) continue;
      *slot = ++i;
      ring.publish();
    }
  });
  for (std::uint64_t expected = 1; expected <= kCount;) {
    const std::uint64_t* found = ring.front();
    if (found == nullptr) continue;
    ASSERT_EQ(*found, expected);
    ring.release();
    ++expected;
  }
}

}  // namespace
}  // namespace kelvin::os
