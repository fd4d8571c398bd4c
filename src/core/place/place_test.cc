#include "core/place/place.h"

#include <gtest/gtest.h>

#include "base/random.h"
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
  EXPECT_EQ(pick_place(nodes, {.needs = one})->node.value, 2u);
  const std::vector<AcceleratorNeed> three{{.kind = "h100", .count = 3}};
  EXPECT_EQ(pick_place(nodes, {.needs = three})->node.value, 1u);
}

TEST(Place, SettlesEqualNodesByTheLowestId) {
  const Nodes nodes = nodes_of({node(2, "b", "cpu", 2), node(1, "a", "cpu", 2)});
  const std::vector<AcceleratorNeed> need{{}};
  EXPECT_EQ(pick_place(nodes, {.needs = need})->node.value, 1u);
}

TEST(Place, TakesTheLowestFreeIndices) {
  Nodes nodes = nodes_of({node(1, "a", "h100", 4)});
  occupy(nodes, 1, {0, 2});
  const std::vector<AcceleratorNeed> need{{.kind = "h100", .count = 2}};
  EXPECT_EQ(pick_place(nodes, {.needs = need})->accelerators, (std::vector<std::uint32_t>{1, 3}));
}

TEST(Place, TriesWishesInOrder) {
  Nodes nodes = nodes_of({node(1, "a", "a100", 1), node(2, "b", "h100", 1)});
  const std::vector<AcceleratorNeed> needs{{.kind = "h100"}, {.kind = "a100"}};
  EXPECT_EQ(pick_place(nodes, {.needs = needs})->kind, "h100");
  occupy(nodes, 2, {0});
  EXPECT_EQ(pick_place(nodes, {.needs = needs})->kind, "a100");
}

TEST(Place, AnyKindMeansAnyWithEnoughMemoryButNotCores) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 8), node(2, "b", "l4", 1)});
  const std::vector<AcceleratorNeed> need{{.kind = "any", .memory_each = 24_GiB}};
  EXPECT_EQ(pick_place(nodes, {.needs = need})->kind, "l4");
  const std::vector<AcceleratorNeed> large{{.kind = "any", .memory_each = 100_GiB}};
  EXPECT_FALSE(pick_place(nodes, {.needs = large}));
}

TEST(Place, NamesTheFilterThatRefusedOnEveryNode) {
  Nodes nodes = nodes_of({node(1, "a", "h100", 4), node(2, "b", "h100", 2), node(3, "c", "cpu", 2),
                          node(4, "d", "h100", 1)});
  nodes.at({1}).node.is_up = false;
  occupy(nodes, 2, {1});
  nodes.at({4}).claimed = 7_GiB;
  const std::vector<AcceleratorNeed> two{{.kind = "h100", .count = 2}};
  EXPECT_EQ(why_refused(nodes, {.needs = two}),
            "a: node is down; b: not enough free accelerators (1 of 2 free, 2 h100 wanted); "
            "c: no such accelerator kind (2 h100 wanted); "
            "d: not enough free accelerators (1 of 1 free, 2 h100 wanted)");
  const std::vector<AcceleratorNeed> one{{.kind = "h100"}};
  occupy(nodes, 2, {0});
  EXPECT_NE(why_refused(nodes, {.needs = one, .memory = 2_GiB})
                .find("d: not enough host memory (7 GiB of 8 GiB claimed, 2 GiB wanted)"),
            std::string::npos);
}

TEST(Place, CountsTheNodesItDoesNotName) {
  Nodes nodes;
  for (std::uint64_t id = 1; id <= 7; ++id) nodes.emplace(NodeId{id}, node(id, "n", "cpu", 1));
  const std::vector<AcceleratorNeed> need{{.kind = "h100"}};
  EXPECT_TRUE(why_refused(nodes, {.needs = need}).ends_with("; and 3 more nodes"));
}

TEST(Place, SaysThatNoNodeHasJoined) {
  const std::vector<AcceleratorNeed> need{{}};
  EXPECT_EQ(why_refused({}, {.needs = need}), "no node has joined");
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
  EXPECT_EQ(pick_place(nodes, {.needs = need, .only = {2}})->node.value, 2u);
  occupy(nodes, 2, {0, 1});
  EXPECT_FALSE(pick_place(nodes, {.needs = need, .only = {2}}));
}

TEST(Place, PrefersTheNodeWhereTheStartIsExpectedToBeShortest) {
  Nodes nodes =
      nodes_of({node(1, "a", "h100", 4), node(2, "b", "h100", 4), node(3, "c", "h100", 4)});
  occupy(nodes, 1, {0, 1, 2});
  warmth::WakeEstimates starts(10s);
  const std::vector<AcceleratorNeed> need{{.kind = "h100"}};
  const Wish wish{.needs = need, .content = "weights", .starts = &starts};
  EXPECT_EQ(pick_place(nodes, wish)->node.value, 1u) << "nothing is known: the fullest";
  nodes.at({2}).node.contents = {{"weights", model::Nearness::Memory}};
  nodes.at({3}).node.contents = {{"others", model::Nearness::Disk}};
  EXPECT_EQ(expected_start(nodes.at({1}), wish), 10s);
  EXPECT_EQ(expected_start(nodes.at({2}), wish), 5s);
  EXPECT_EQ(expected_start(nodes.at({3}), wish), 20s);
  EXPECT_EQ(pick_place(nodes, wish)->node.value, 2u);
  starts.measured({3}, 1s);
  EXPECT_EQ(expected_start(nodes.at({3}), wish), 1s) << "what was measured there counts";
  nodes.at({2}).node.contents.clear();
  EXPECT_EQ(expected_start(nodes.at({2}), wish), 1s) << "elsewhere, what was measured anywhere";
  EXPECT_EQ(pick_place(nodes, wish)->node.value, 1u);
}

TEST(Place, PrefersANodeWithoutOtherWorkspacesAmongEquals) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 4), node(2, "b", "cpu", 4)});
  move_in(nodes.at({1}), "other");
  const std::vector<AcceleratorNeed> need{{}};
  const Wish wish{.needs = need, .workspace = "default"};
  const auto lease = pick_place(nodes, wish);
  EXPECT_EQ(lease->node.value, 2u);
  EXPECT_EQ(why_there(nodes, wish, *lease),
            "the best of 2 nodes that fit: no other workspace's replica on it");
  move_out(nodes.at({1}), "other");
  EXPECT_EQ(why_there(nodes, wish, *pick_place(nodes, wish)),
            "the best of 2 nodes that fit: all alike, the first of them");
}

TEST(Place, ClaimsWhatIsFreeBeforeWhatIsOnItsWay) {
  Nodes open = nodes_of({node(1, "a", "h100", 4)});
  Nodes future = open;
  occupy(open, 1, {0, 1, 2});
  occupy(future, 1, {0});
  const std::vector<AcceleratorNeed> need{{.kind = "h100", .count = 2}};
  const Lease lease = *pick_place(future, {.needs = need});
  EXPECT_EQ(lease.accelerators, (std::vector<std::uint32_t>{1, 2}));
  EXPECT_EQ(with_open_first(lease, open.at({1}), future.at({1})).accelerators,
            (std::vector<std::uint32_t>{1, 3}));
}

TEST(Place, ReservesWhereMostIsFreeAlready) {
  Nodes nodes =
      nodes_of({node(1, "a", "h100", 8), node(2, "b", "h100", 8), node(3, "c", "h100", 2)});
  occupy(nodes, 1, {0, 1, 2, 3, 4, 5, 6});
  occupy(nodes, 2, {0, 1, 2, 3, 4});
  const std::vector<AcceleratorNeed> need{{.kind = "b200"}, {.kind = "h100", .count = 4}};
  const auto reserved = pick_reservation(nodes, {.needs = need});
  ASSERT_TRUE(reserved);
  EXPECT_EQ(reserved->node.value, 2u);
  hold_free(nodes.at({2}), *reserved, 9_GiB);
  EXPECT_EQ(free_count(nodes.at({2}), nodes.at({2}).node.pools[0]), 0u);
  EXPECT_EQ(nodes.at({2}).claimed, 8_GiB) << "as much as there is";
}

// What pick_place comes to, without its shortcuts: the free indices of the fullest pool of every node
// that the need fits, the smallest score first, then the lowest id.
std::optional<Lease> naive_place(const Nodes& nodes, const Wish& wish) {
  for (const AcceleratorNeed& need : wish.needs) {
    std::optional<std::pair<std::int64_t, Lease>> best;
    for (const auto& [id, load] : nodes) {
      const bool is_refused = !load.node.is_up || (wish.only && wish.only != id) ||
                              load.claimed + wish.memory > load.node.memory;
      std::optional<std::pair<std::int64_t, Lease>> here;
      std::size_t here_free = 0;
      for (const model::AcceleratorPool& pool : load.node.pools) {
        const bool is_wanted = need.kind == "any" ? pool.kind != "cpu" : need.kind == pool.kind;
        if (is_refused || !is_wanted || pool.memory_each < need.memory_each) continue;
        std::vector<std::uint32_t> free;
        for (std::uint32_t index = 0; index < pool.count; ++index) {
          if (can_take(load, {.node = id, .kind = pool.kind, .accelerators = {index}}))
            free.push_back(index);
        }
        if (free.size() < need.count || (here && free.size() >= here_free)) continue;
        here_free = free.size();
        const auto left = static_cast<std::int64_t>(free.size() - need.count);
        free.resize(need.count);
        std::int64_t score = whole_ms(wish.starts->on(id)) + 2000 * left / pool.count;
        for (const Tenant& tenant : load.tenants) score += tenant.workspace == "other" ? 200 : 0;
        here = {score,
                {.node = id, .kind = pool.kind, .accelerators = free, .memory = wish.memory}};
      }
      if (here && (!best || here->first < best->first)) best = here;
    }
    if (best) return best->second;
  }
  return std::nullopt;
}

Nodes random_nodes(Random& random, std::uint64_t most) {
  Nodes nodes;
  const std::uint64_t count = 1 + random.below(most);
  for (std::uint64_t id = 1; id <= count; ++id) {
    NodeLoad load = node(id, "n" + std::to_string(id), "cpu",
                         static_cast<std::uint32_t>(1 + random.below(130)));
    load.node.is_up = random.below(20) > 0;
    for (const char* kind : {"h100", "l4"}) {
      if (random.below(2) == 0) continue;
      const auto size = static_cast<std::uint32_t>(1 + random.below(8));
      load.node.pools.push_back(
          {.kind = kind, .count = size, .memory_each = {(20 + random.below(80)) << 30U}});
    }
    const std::uint64_t fullness = random.below(101);
    for (const model::AcceleratorPool& pool : load.node.pools) {
      for (std::uint32_t index = 0; index < pool.count; ++index) {
        if (random.below(100) < fullness)
          take(load, {.node = {id}, .kind = pool.kind, .accelerators = {index}});
      }
    }
    load.claimed = {random.below(9) << 30U};
    if (random.below(3) == 0) move_in(load, "other");
    nodes.emplace(load.node.id, std::move(load));
  }
  return nodes;
}

TEST(Place, FindsWhatASearchWithoutShortcutsFinds) {
  Random random{4};
  warmth::WakeEstimates starts(10s);
  for (std::uint64_t id = 1; id <= 40; id += 3)
    starts.measured({id}, std::chrono::milliseconds(2000 + random.below(12'000)));
  for (int round = 0; round < 60; ++round) {
    const Nodes nodes = random_nodes(random, round == 0 ? 1000 : 40);
    for (int i = 0; i < 20; ++i) {
      std::vector<AcceleratorNeed> needs;
      for (std::uint64_t wishes = 1 + random.below(2); wishes > 0; --wishes) {
        const char* kinds[] = {"cpu", "h100", "l4", "any", "b200"};
        needs.push_back({.kind = kinds[random.below(5)],
                         .count = static_cast<std::uint32_t>(1 + random.below(9)),
                         .memory_each = {random.below(2) == 0 ? 0 : random.below(100) << 30U}});
      }
      const Wish wish{.needs = needs,
                      .memory = {random.below(4) << 30U},
                      .workspace = "default",
                      .starts = &starts};
      const std::optional<Lease> found = pick_place(nodes, wish);
      const std::optional<Lease> expected = naive_place(nodes, wish);
      ASSERT_EQ(found.has_value(), expected.has_value()) << round << " " << i;
      if (!found) continue;
      ASSERT_EQ(found->node, expected->node) << round << " " << i;
      ASSERT_EQ(found->kind, expected->kind);
      ASSERT_EQ(found->accelerators, expected->accelerators);
      ASSERT_TRUE(can_take(nodes.at(found->node), *found));
    }
  }
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
          .app = {100 + id},
          .node = {1},
          .kind = "cpu",
          .accelerators = 1,
          .memory = 1_GiB,
          .may_park = true,
          .park_loss = park_loss,
          .stop_loss = stop_loss};
}

std::vector<Victim> cheapest_victims(const Nodes& nodes, const Wish& wish,
                                     const std::vector<Candidate>& candidates) {
  return pick_victims(nodes, wish, candidates, {});
}

TEST(Pressure, ParksTheIdleReplicaWhoseLossIsLeast) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 2)});
  occupy(nodes, 1, {0, 1}, 2_GiB);
  const std::vector<AcceleratorNeed> need{{}};
  const auto victims =
      cheapest_victims(nodes, {.needs = need}, {idle(7, 30, 300), idle(8, 20, 200)});
  ASSERT_EQ(victims.size(), 1u);
  EXPECT_EQ(victims[0].replica.value, 8u);
  EXPECT_EQ(victims[0].relief, Relief::Park);
}

TEST(Pressure, CoolsNobodyWhenAllTogetherWouldNotDo) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 3)});
  occupy(nodes, 1, {0, 1, 2});
  const std::vector<AcceleratorNeed> need{{.kind = "cpu", .count = 3}};
  EXPECT_TRUE(
      cheapest_victims(nodes, {.needs = need}, {idle(7, 30, 300), idle(8, 20, 200)}).empty());
}

TEST(Pressure, StopsParkedReplicasWhenMemoryIsShort) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 2)});
  occupy(nodes, 1, {}, 8_GiB);
  Candidate parked = idle(9, 0, 50);
  parked.accelerators = 0;
  parked.may_park = false;
  const std::vector<AcceleratorNeed> need{{}};
  const auto victims =
      cheapest_victims(nodes, {.needs = need, .memory = 1_GiB}, {idle(7, 10, 100), parked});
  ASSERT_EQ(victims.size(), 1u);
  EXPECT_EQ(victims[0].replica.value, 9u);
  EXPECT_EQ(victims[0].relief, Relief::Stop);
}

TEST(Pressure, StopsInsteadOfParkingWhenThatFreesTheMemoryCheapest) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 1)});
  occupy(nodes, 1, {0}, 8_GiB);
  const std::vector<AcceleratorNeed> need{{}};
  const auto victims =
      cheapest_victims(nodes, {.needs = need, .memory = 1_GiB}, {idle(7, 10, 100)});
  ASSERT_EQ(victims.size(), 1u);
  EXPECT_EQ(victims[0].relief, Relief::Stop);
}

TEST(Pressure, StopsWhatMayNotPark) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 1)});
  occupy(nodes, 1, {0});
  Candidate never = idle(7, 0, 100);
  never.may_park = false;
  const std::vector<AcceleratorNeed> need{{}};
  const auto victims = cheapest_victims(nodes, {.needs = need}, {never});
  ASSERT_EQ(victims.size(), 1u);
  EXPECT_EQ(victims[0].relief, Relief::Stop);
}

TEST(Pressure, TakesNothingFromTheAppThatWaits) {
  Nodes nodes = nodes_of({node(1, "a", "cpu", 2)});
  occupy(nodes, 1, {0, 1});
  std::vector<Candidate> candidates{idle(7, 10, 100), idle(8, 20, 200)};
  candidates[0].app = {1};
  candidates[1].app = {2};
  const std::vector<AcceleratorNeed> need{{}};
  const auto victims = pick_victims(nodes, {.needs = need}, candidates, AppId{1});
  ASSERT_EQ(victims.size(), 1u);
  EXPECT_EQ(victims[0].replica.value, 8u);
}

TEST(Pressure, CoolsNothingWhereThereIsRoom) {
  const Nodes nodes = nodes_of({node(1, "a", "cpu", 1)});
  const std::vector<AcceleratorNeed> need{{}};
  EXPECT_TRUE(cheapest_victims(nodes, {.needs = need}, {idle(7, 10, 100)}).empty());
}

}  // namespace
}  // namespace kelvin::place
