// route: the order of tries.
#include "core/route/route.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
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

TEST(Route, SparesComeLastAndOneAfterTheOther) {
  const std::vector<ReplicaLoad> loads = {{.in_flight = 7, .slots = 8},
                                          {.in_flight = 0, .slots = 8, .is_spare = true},
                                          {.in_flight = 1, .slots = 8, .is_spare = true}};
  for (std::uint64_t seed = 0; seed < 100; ++seed)
    EXPECT_EQ(order_of(loads, seed), (Indices{0, 1, 2}));
  EXPECT_EQ(order_of({{.in_flight = 8, .slots = 8},
                      {.in_flight = 8, .slots = 8, .is_spare = true},
                      {.in_flight = 0, .slots = 8, .is_spare = true}}),
            (Indices{2}));
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

// --- affinity ----------------------------------------------------------------------------------------

std::vector<ReplicaLoad> replicas(std::uint32_t count, std::uint32_t slots = 10) {
  std::vector<ReplicaLoad> loads;
  for (std::uint64_t id = 1; id <= count; ++id)
    loads.push_back({.in_flight = 0, .slots = slots, .id = {id}});
  return loads;
}

Indices order_for(const std::vector<ReplicaLoad>& loads, const Wish& wish, std::uint64_t seed = 1) {
  Random random{seed};
  const Order order = pick(loads, wish, random);
  return {order.begin(), order.end()};
}

TEST(Affinity, TheSameHashGoesToTheSameReplica) {
  const std::vector<ReplicaLoad> loads = replicas(8);
  std::array<int, 8> firsts{};
  for (std::uint64_t hash = 0; hash < 800; ++hash) {
    const Indices order = order_for(loads, {.affinity = hash}, 1);
    EXPECT_EQ(order, order_for(loads, {.affinity = hash}, 2));
    EXPECT_EQ(order.size(), 8u);
    ++firsts[order[0]];
  }
  for (const int count : firsts) EXPECT_NEAR(count, 100, 40);
}

TEST(Affinity, OnlyTheRequestsOfAReplicaThatLeavesMove) {
  const std::vector<ReplicaLoad> before = replicas(6);
  std::vector<ReplicaLoad> after = before;
  after.erase(after.begin() + 2);
  for (std::uint64_t hash = 0; hash < 500; ++hash) {
    const ReplicaId was = before[order_for(before, {.affinity = hash})[0]].id;
    const ReplicaId is = after[order_for(after, {.affinity = hash})[0]].id;
    if (was != ReplicaId{3}) EXPECT_EQ(was, is) << hash;
  }
}

TEST(Affinity, AgreesWithTheOrderOfControl) {
  const std::vector<ReplicaLoad> loads = replicas(8);
  for (std::uint64_t hash = 0; hash < 100; ++hash) {
    const Indices order = order_for(loads, {.affinity = hash});
    for (std::size_t i = 0; i + 1 < order.size(); ++i)
      EXPECT_TRUE(comes_first(hash, loads[order[i]].id, loads[order[i + 1]].id));
  }
}

TEST(Affinity, OnePopularHashLoadsNoReplicaBeyondItsBound) {
  std::vector<ReplicaLoad> loads = replicas(4, 100);
  for (std::uint32_t sent = 1; sent <= 300; ++sent) {
    const Indices order = order_for(loads, {.affinity = 42});
    ++loads[order[0]].in_flight;
    const std::uint32_t bound = (5 * sent + 15) / 16;  // ceil(1.25 * sent / 4)
    for (const ReplicaLoad& load : loads) ASSERT_LE(load.in_flight, bound) << sent;
  }
}

TEST(Affinity, LargerReplicasMayTakeMore) {
  std::vector<ReplicaLoad> loads = replicas(2, 10);
  loads[1].slots = 90;
  for (int i = 0; i < 50; ++i) ++loads[order_for(loads, {.affinity = 3})[0]].in_flight;
  EXPECT_LE(loads[0].in_flight, 7u);
  EXPECT_GE(loads[1].in_flight, 43u);
}

TEST(Affinity, ABoundIsNoReasonToWait) {
  std::vector<ReplicaLoad> loads = replicas(3, 10);
  loads[0].in_flight = 9;
  loads[1].in_flight = loads[2].in_flight = 10;
  EXPECT_EQ(order_for(loads, {.affinity = 1}), Indices{0});
  loads[1].in_flight = 0;
  loads[1].is_open = false;
  EXPECT_EQ(order_for(loads, {.affinity = 1}), Indices{0});
}

// --- a replica by name, and revisions ----------------------------------------------------------------

TEST(Wanted, IsFirstWhereItHasRoom) {
  std::vector<ReplicaLoad> loads = replicas(5);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Indices order = order_for(loads, {.wanted = {4}}, seed);
    EXPECT_EQ(order[0], 3u);
    EXPECT_EQ(order.size(), 5u) << "each once";
    EXPECT_EQ(order_for(loads, {.affinity = seed, .wanted = {4}})[0], 3u);
  }
}

TEST(Wanted, IsForgottenWhereItIsFullOrGone) {
  std::vector<ReplicaLoad> loads = replicas(3, 2);
  loads[1].in_flight = 2;
  EXPECT_EQ(order_for(loads, {.wanted = {2}}), (Indices{0, 2}));
  EXPECT_EQ(order_for(loads, {.wanted = {77}}), (Indices{0, 2}));
}

TEST(Split, OnlyReplicasOfTheDrawnRevisionAreTried) {
  std::vector<ReplicaLoad> loads = replicas(6);
  for (std::size_t i = 0; i < loads.size(); ++i) loads[i].revision = {i % 2 + 1};
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Indices order = order_for(loads, {.revision = {2}}, seed);
    std::sort(order.begin(), order.end());
    EXPECT_EQ(order, (Indices{1, 3, 5}));
  }
  EXPECT_TRUE(order_for(loads, {.revision = {3}}).empty());
}

TEST(Split, DrawsByShare) {
  const std::vector<model::RevisionShare> shares{{{1}, 10}, {{2}, 90}};
  Random random{5};
  int first = 0;
  for (int i = 0; i < 10'000; ++i)
    first += draw_revision(shares, std::nullopt, random) == RevisionId{1} ? 1 : 0;
  EXPECT_NEAR(first, 1000, 120);
  EXPECT_EQ(draw_revision({}, std::nullopt, random), RevisionId{});
}

TEST(Split, OneHashStaysWithItsRevision) {
  const std::vector<model::RevisionShare> shares{{{1}, 30}, {{2}, 70}};
  Random random{5};
  int first = 0;
  for (std::uint64_t hash = 0; hash < 10'000; ++hash) {
    const RevisionId drawn = draw_revision(shares, hash, random);
    EXPECT_EQ(drawn, draw_revision(shares, hash, random));
    first += drawn == RevisionId{1} ? 1 : 0;
  }
  EXPECT_NEAR(first, 3000, 200);
}

}  // namespace
}  // namespace kelvin::route
