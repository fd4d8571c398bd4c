#include "core/scale/scale.h"

#include <gtest/gtest.h>

namespace kelvin::scale {
namespace {

constexpr Instant at(Duration d) { return Instant{} + d; }

TEST(Scale, StartsOneAtOnceFromZero) {
  EXPECT_EQ(starts_needed({.waiting = 1, .live = 0, .room = 4, .slots = 4}), 1u);
}

TEST(Scale, StartsNothingWithoutDemand) {
  EXPECT_EQ(starts_needed({.waiting = 0, .live = 0, .room = 4, .slots = 4}), 0u);
}

TEST(Scale, CountsStartingReplicasAsCapacity) {
  EXPECT_EQ(starts_needed({.waiting = 4, .promised = 4, .live = 1, .room = 9, .slots = 4}), 0u);
  EXPECT_EQ(starts_needed({.waiting = 5, .promised = 4, .live = 1, .room = 9, .slots = 4}), 1u);
  EXPECT_EQ(starts_needed({.waiting = 13, .promised = 4, .live = 1, .room = 9, .slots = 4}), 3u);
}

TEST(Scale, NeverExceedsTheRoomThatMaxLeaves) {
  EXPECT_EQ(starts_needed({.waiting = 100, .live = 2, .room = 2, .slots = 4}), 2u);
  EXPECT_EQ(starts_needed({.waiting = 100, .live = 4, .room = 0, .slots = 4}), 0u);
}

TEST(Scale, FloorFollowsTheFormula) {
  EXPECT_EQ(floor_replicas(0.0, 4), 0u);
  EXPECT_EQ(floor_replicas(0.049, 4), 0u);
  EXPECT_EQ(floor_replicas(0.05, 4), 1u);
  EXPECT_EQ(floor_replicas(1.0, 4), 1u);
  EXPECT_EQ(floor_replicas(4.0, 4), 2u);
  EXPECT_EQ(floor_replicas(6.0, 4), 3u);
  EXPECT_EQ(floor_replicas(1.0, 1), 2u);
}

TEST(Scale, FloorFallsExactlyBelowTheLoadItNames) {
  for (std::uint32_t slots : {1U, 4U, 16U}) {
    for (std::uint32_t n = 1; n < 20; ++n) {
      const double load = load_below_floor(n, slots);
      EXPECT_LT(floor_replicas(load * 0.9999, slots), n) << n << " of " << slots;
      EXPECT_GE(floor_replicas(load * 1.01, slots), n) << n << " of " << slots;
    }
  }
}

TEST(Scale, AverageApproachesASteadyLoad) {
  LoadAverage average;
  for (int second = 1; second <= 1200; ++second)
    average.add(3s, 1s, at(std::chrono::seconds(second)));
  EXPECT_NEAR(average.at(at(1200s)), 3.0, 0.05);
}

TEST(Scale, AverageDecaysWithoutTicks) {
  LoadAverage average;
  average.add(1s, 1s, at(1s));
  const double first = average.at(at(1s));
  EXPECT_NEAR(first, 1.0 / 120, 0.0001);
  EXPECT_NEAR(average.at(at(121s)), first * 0.3679, 0.0001);
  EXPECT_NEAR(average.at(at(3601s)), 0.0, 0.0001);
}

TEST(Scale, AverageOfAShortWindowFollowsTwoReporters) {
  LoadAverage average(2s);
  for (int second = 1; second <= 20; ++second) {
    average.add(3s, 1s, at(std::chrono::seconds(second)));
    average.add(2s, 1s, at(std::chrono::seconds(second)));
  }
  EXPECT_NEAR(average.at(at(20s)), 5.0, 0.01);
  EXPECT_LT(average.at(at(26s)), 0.5);
}

TEST(Scale, AverageKnowsWhenItWillHaveFallen) {
  LoadAverage average;
  average.add(120s, 1s, at(1s));
  const Instant moment = average.falls_to(0.05, at(1s));
  EXPECT_LE(average.at(moment), 0.05);
  EXPECT_GT(average.at(moment - 10ms), 0.05);
  EXPECT_EQ(average.falls_to(2.0, at(1s)), at(1s));
}

TEST(Scale, AverageIgnoresAClockThatStepsBack) {
  LoadAverage average;
  average.add(120s, 1s, at(100s));
  const double before = average.at(at(100s));
  average.add(0s, 1s, at(50s));
  EXPECT_DOUBLE_EQ(average.at(at(100s)), before);
}

TEST(Scale, HeadroomGrowsByASlotPerTenfoldOfUrgency) {
  EXPECT_EQ(headroom_slots(1'000), 0u);
  EXPECT_EQ(headroom_slots(5'000), 0u);
  EXPECT_EQ(headroom_slots(20'000), 1u);
  EXPECT_EQ(headroom_slots(100'000), 2u);
  EXPECT_EQ(spare_copies(20'000), 0u);
  EXPECT_EQ(spare_copies(100'000), 1u);
}

TEST(TokenBucket, LetsABurstThroughAndThenARate) {
  TokenBucket bucket({.burst = 3, .per_second = 2});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.reserve(at(10s)), at(10s));
  EXPECT_EQ(bucket.reserve(at(10s)), at(10500ms));
  EXPECT_EQ(bucket.reserve(at(10s)), at(11s));
}

TEST(TokenBucket, FillsUpAgainButNotBeyondItsBurst) {
  TokenBucket bucket({.burst = 2, .per_second = 1});
  for (int i = 0; i < 2; ++i) EXPECT_EQ(bucket.reserve(at(10s)), at(10s));
  EXPECT_EQ(bucket.reserve(at(1000s)), at(1000s));
  EXPECT_EQ(bucket.reserve(at(1000s)), at(1000s));
  EXPECT_EQ(bucket.reserve(at(1000s)), at(1001s));
}

TEST(RemovalWindow, AllowsHalfPerMinute) {
  RemovalWindow window;
  EXPECT_TRUE(window.try_remove(4, at(10s)));
  EXPECT_TRUE(window.try_remove(3, at(11s)));
  EXPECT_FALSE(window.try_remove(2, at(12s)));
  EXPECT_EQ(window.ends(), at(70s));
  EXPECT_TRUE(window.try_remove(2, at(70s)));
  EXPECT_FALSE(window.try_remove(1, at(71s)));
}

TEST(RemovalWindow, AlwaysAllowsTheLastOne) {
  RemovalWindow window;
  EXPECT_TRUE(window.try_remove(1, at(10s)));
}

}  // namespace
}  // namespace kelvin::scale
