#include "core/place/place.h"

#include <gtest/gtest.h>

#include "core/place/pressure.h"

namespace kelvin::place {
namespace {

using model::AcceleratorNeed;
using model::Lease;

NodeLoad node(std::uint64_t id, std::string name, std::string kind, std::uint32_t count) {
  return {.node = {.id = {id},
                   .name = std::move(name),
                   .memory = 8_GiB,
                   .pools = {{.kind = std::move(kind), .count = count, .memory_each = 80_GiB}}}};
}

Nodes nodes_of(std::initializer_list<NodeLoad> loads) {
  Nodes nodes;
  for (const NodeLoad& load : loads) nodes.emplace(load.node.id, load);
  return nodes;
}

void occupy(Nodes& nodes, std::uint64_t id, std::vector<std::uint32_t> indices, Bytes memory = {}) {
  NodeLoad& load = nodes.at({id});
  take(load, {.node = {id},
              .kind = load.node.pools[0].kind,
              .accelerators = std::move(indices),
              .memory = memory});
}

TEST(Place, PrefersTheFullestNodeThatFits) {
  Nodes nodes = nodes_of({node(1, "a", "h100", 4), node(2, "b", "h100", 4)});
  occupy(nodes, 2, {0, 1});
  const std::vector<AcceleratorNeed> one{{.kind = "h100"}};
  EXPECT_EQ(pick_place(nodes, {.needs = one}).lease->node.value, 2u);
  const std::vector<AcceleratorNeed> three{{.kind = "h100", .count = 3}};
  EXPECT_EQ(pick_place(nodes, {.needs = three}).lease->node.value, 1u);
}

TEST(Place, SettlesEqualNodesByTheLowestId) {
  const Nodes nodes = nodes_of({node(2, "b", "cpu", 2), node(1, "a", "cpu", 2)});
  const std::vector<AcceleratorNeed> need{{}};
  EXPECT_EQ(pick_place(nodes, {.needs = need}).lease->node.value, 1u);
}

TEST(Place, TakesTheLowestFreeIndices) {
  Nodes nodes = nodes_of({node(1, "a", "h100", 4)});
  occupy(nodes, 1, {0, 2});
  const std::vector<AcceleratorNeed> need{{.kind = "h100", .count = 2}};
  EXPECT_EQ(pick_place(nodes, {.needs = need}).lease->accelerators,
            (std::vector<std::uint32_t>{1, 3}));
}

TEST(Place, TriesWishesInOrder) {
  Nodes nodes = nodes_of({node(1, "a", "a100", 1), node(2, "b", "h100", 1)});
  const std::vector<AcceleratorNeed> needs{{.kind = "h100"}, {.kind = "a100"}};
  EXPECT_EQ(pick_place(nodes, {.needs = needs}).lease->kind, "h100");
  occupy(nodes, 2, {0});
  EXPECT_EQ(pick_place(nodes, {.needs = needs}).lease->kind, "a100");
}

TEST(Place, AnyKindMeansAnyWithEnoughMemoryButNotCores) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 8), node(2, "b", "l4", 1)});
  const std::vector<AcceleratorNeed> need{{.kind = "any", .memory_each = 24_GiB}};
  EXPECT_EQ(pick_place(nodes, {.needs = need}).lease->kind, "l4");
  const std::vector<AcceleratorNeed> large{{.kind = "any", .memory_each = 100_GiB}};
  EXPECT_FALSE(pick_place(nodes, {.needs = large}).lease);
}

TEST(Place, NamesTheFilterThatRefusedOnEveryNode) {
  Nodes nodes = nodes_of({node(1, "a", "h100", 4), node(2, "b", "h100", 2), node(3, "c", "cpu", 2),
                          node(4, "d", "h100", 1)});
  nodes.at({1}).node.is_up = false;
  occupy(nodes, 2, {1});
  nodes.at({4}).claimed = 7_GiB;
  const std::vector<AcceleratorNeed> two{{.kind = "h100", .count = 2}};
  EXPECT_EQ(pick_place(nodes, {.needs = two}).refusal,
            "a: node is down; b: not enough free accelerators (1 of 2 free, 2 h100 wanted); "
            "c: no such accelerator kind (2 h100 wanted); "
            "d: not enough free accelerators (1 of 1 free, 2 h100 wanted)");
  const std::vector<AcceleratorNeed> one{{.kind = "h100"}};
  occupy(nodes, 2, {0});
  EXPECT_NE(pick_place(nodes, {.needs = one, .memory = 2_GiB})
                .refusal.find("d: not enough host memory (7 GiB of 8 GiB claimed, 2 GiB wanted)"),
            std::string::npos);
}

TEST(Place, CountsTheNodesItDoesNotName) {
  Nodes nodes;
  for (std::uint64_t id = 1; id <= 7; ++id) nodes.emplace(NodeId{id}, node(id, "n", "cpu", 1));
  const std::vector<AcceleratorNeed> need{{.kind = "h100"}};
  EXPECT_TRUE(pick_place(nodes, {.needs = need}).refusal.ends_with("; and 3 more nodes"));
}

TEST(Place, SaysThatNoNodeHasJoined) {
  const std::vector<AcceleratorNeed> need{{}};
  EXPECT_EQ(pick_place({}, {.needs = need}).refusal, "no node has joined");
}

TEST(Place, TellsBusyFromImpossible) {
  Nodes nodes = nodes_of({node(1, "a", "h100", 2)});
  occupy(nodes, 1, {0, 1});
  nodes.at({1}).node.is_up = false;
  const std::vector<AcceleratorNeed> two{{.kind = "h100", .count = 2}};
  EXPECT_FALSE(why_never(nodes, {.needs = two}));
  const std::vector<AcceleratorNeed> three{{.kind = "h100", .count = 3}};
  EXPECT_TRUE(why_never(nodes, {.needs = three}));
  EXPECT_TRUE(why_never(nodes, {.needs = two, .memory = 9_GiB}));
}

TEST(Place, KeepsToOneNodeWhereAsked) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 2), node(2, "b", "cpu", 2)});
  const std::vector<AcceleratorNeed> need{{}};
  EXPECT_EQ(pick_place(nodes, {.needs = need, .only = {2}}).lease->node.value, 2u);
  occupy(nodes, 2, {0, 1});
  EXPECT_FALSE(pick_place(nodes, {.needs = need, .only = {2}}).lease);
}

TEST(PlaceDeathTest, LeasesNeverOverlap) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 2)});
  occupy(nodes, 1, {0});
  EXPECT_DEATH(occupy(nodes, 1, {0}), "check failed");
  EXPECT_FALSE(can_take(nodes.at({1}), {.node = {1}, .accelerators = {0}}));
  EXPECT_FALSE(can_take(nodes.at({1}), {.node = {1}, .accelerators = {2}}));
  EXPECT_TRUE(can_take(nodes.at({1}), {.node = {1}, .accelerators = {1}}));
}

Candidate idle(std::uint64_t id, std::int64_t park_loss, std::int64_t stop_loss) {
  return {.replica = {id},
          .node = {1},
          .kind = "cpu",
          .accelerators = 1,
          .memory = 1_GiB,
          .may_park = true,
          .park_loss = park_loss,
          .stop_loss = stop_loss};
}

TEST(Pressure, ParksTheIdleReplicaWhoseLossIsLeast) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 2)});
  occupy(nodes, 1, {0, 1}, 2_GiB);
  const std::vector<AcceleratorNeed> need{{}};
  const auto victims = pick_victims(nodes, {.needs = need}, {idle(7, 30, 300), idle(8, 20, 200)});
  ASSERT_EQ(victims.size(), 1u);
  EXPECT_EQ(victims[0].replica.value, 8u);
  EXPECT_EQ(victims[0].relief, Relief::Park);
}

TEST(Pressure, CoolsNobodyWhenAllTogetherWouldNotDo) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 3)});
  occupy(nodes, 1, {0, 1, 2});
  const std::vector<AcceleratorNeed> need{{.kind = "cpu", .count = 3}};
  EXPECT_TRUE(pick_victims(nodes, {.needs = need}, {idle(7, 30, 300), idle(8, 20, 200)}).empty());
}

TEST(Pressure, StopsParkedReplicasWhenMemoryIsShort) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 2)});
  occupy(nodes, 1, {}, 8_GiB);
  Candidate parked = idle(9, 0, 50);
  parked.accelerators = 0;
  parked.may_park = false;
  const std::vector<AcceleratorNeed> need{{}};
  const auto victims =
      pick_victims(nodes, {.needs = need, .memory = 1_GiB}, {idle(7, 10, 100), parked});
  ASSERT_EQ(victims.size(), 1u);
  EXPECT_EQ(victims[0].replica.value, 9u);
  EXPECT_EQ(victims[0].relief, Relief::Stop);
}

TEST(Pressure, StopsInsteadOfParkingWhenThatFreesTheMemoryCheapest) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 1)});
  occupy(nodes, 1, {0}, 8_GiB);
  const std::vector<AcceleratorNeed> need{{}};
  const auto victims = pick_victims(nodes, {.needs = need, .memory = 1_GiB}, {idle(7, 10, 100)});
  ASSERT_EQ(victims.size(), 1u);
  EXPECT_EQ(victims[0].relief, Relief::Stop);
}

TEST(Pressure, StopsWhatMayNotPark) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 1)});
  occupy(nodes, 1, {0});
  Candidate never = idle(7, 0, 100);
  never.may_park = false;
  const std::vector<AcceleratorNeed> need{{}};
  const auto victims = pick_victims(nodes, {.needs = need}, {never});
  ASSERT_EQ(victims.size(), 1u);
  EXPECT_EQ(victims[0].relief, Relief::Stop);
}

TEST(Pressure, CoolsNothingWhereThereIsRoom) {
  const Nodes nodes = nodes_of({node(1, "a", "cpu", 1)});
  const std::vector<AcceleratorNeed> need{{}};
  EXPECT_TRUE(pick_victims(nodes, {.needs = need}, {idle(7, 10, 100)}).empty());
}

}  // namespace
}  // namespace kelvin::place
