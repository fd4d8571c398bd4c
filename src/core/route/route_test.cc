// route: the order of tries.
#include "core/route/route.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace kelvin::route {
namespace {

std::vector<std::uint32_t> order_of(const std::vector<ReplicaLoad>& loads, std::uint64_t seed = 1) {
  Random random{seed};
  const Order order = pick(loads, random);
  return {order.begin(), order.end()};
}

using Indices = std::vector<std::uint32_t>;

TEST(Route, NothingToTryWhereNothingHasRoom) {
  EXPECT_EQ(order_of({}), Indices{});
  EXPECT_EQ(
      order_of({{.in_flight = 2, .slots = 2}, {.in_flight = 0, .slots = 4, .is_open = false}}),
      Indices{});
}

TEST(Route, SmallLimitsPackOntoTheFirstWithRoom) {
  EXPECT_EQ(order_of({{2, 2}, {1, 2}, {0, 2}}), (Indices{1, 2}));
}

TEST(Route, TheLessFullOfTwoChoicesComesFirst) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    EXPECT_EQ(order_of({{30, 32}, {1, 32}}, seed), (Indices{1, 0}));
    EXPECT_EQ(order_of({{10, 100}, {5, 10}}, seed), (Indices{0, 1})) << "relative to the limit";
  }
}

TEST(Route, EveryReplicaWithRoomIsTriedOnce) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Indices order = order_of({{0, 8}, {8, 8}, {3, 8}, {7, 8}, {2, 8}}, seed);
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, (Indices{0, 2, 3, 4}));
  }
}

TEST(Route, TheOrderIsBounded) {
  const std::vector<ReplicaLoad> loads(1000, ReplicaLoad{.in_flight = 1, .slots = 8});
  EXPECT_EQ(order_of(loads).size(), kTriesMax);
}

TEST(Route, TwoChoicesKeepReplicasLevel) {
  Random random{7};
  std::vector<ReplicaLoad> loads(16, ReplicaLoad{.in_flight = 0, .slots = 100});
  for (int i = 0; i < 800; ++i) ++loads[pick(loads, random)[0]].in_flight;
  for (const ReplicaLoad& load : loads) {
    EXPECT_GE(load.in_flight, 44u);
    EXPECT_LE(load.in_flight, 56u);
  }
}

TEST(Route, TheSameNumbersGiveTheSameOrder) {
  const std::vector<ReplicaLoad> loads(8, ReplicaLoad{.in_flight = 2, .slots = 8});
  EXPECT_EQ(order_of(loads, 42), order_of(loads, 42));
}

}  // namespace
}  // namespace kelvin::route
