#include <gtest/gtest.h>

#include <vector>

#include "os/slot_memory.h"
#include "os/thread.h"

namespace kelvin::os {
namespace {

constexpr SlotTable::Key kKey{.slot = 7, .generation = 3};

TEST(SlotTable, StartsWithEveryWordClosed) {
  auto memory = SlotMemory::create();
  ASSERT_TRUE(memory);
  SlotTable table = memory->table();
  EXPECT_EQ(table.size(), kSlotCount);
  EXPECT_TRUE(table.read(7).is_closed);
  EXPECT_FALSE(table.try_take({.slot = 7, .generation = 0}, 1));
}

TEST(SlotTable, GivesUpToTheLimit) {
  auto memory = SlotMemory::create();
  SlotTable table = memory->table();
  table.open(kKey);
  EXPECT_TRUE(table.try_take(kKey, 2));
  EXPECT_TRUE(table.try_take(kKey, 2));
  EXPECT_FALSE(table.try_take(kKey, 2));
  EXPECT_FALSE(table.give_back(kKey, {5}).was_last_of_closed);
  EXPECT_TRUE(table.try_take(kKey, 2));
  EXPECT_EQ(table.read(7).in_flight, 2U);
}

TEST(SlotTable, IgnoresAnotherGeneration) {
  auto memory = SlotMemory::create();
  SlotTable table = memory->table();
  table.open(kKey);
  const SlotTable::Key old{.slot = 7, .generation = 2};
  EXPECT_FALSE(table.try_take(old, 9));
  EXPECT_FALSE(table.close(old).is_closed);
  ASSERT_TRUE(table.try_take(kKey, 1));
  EXPECT_FALSE(table.give_back(old, {5}).was_last_of_closed);
  EXPECT_EQ(table.read(7).in_flight, 1U);
  EXPECT_EQ(table.generation_max(), 3U);
}

TEST(SlotTable, ClosesForParkOnlyWhenIdleSinceTheMoment) {
  auto memory = SlotMemory::create();
  SlotTable table = memory->table();
  table.open(kKey);
  ASSERT_TRUE(table.try_take(kKey, 1));
  EXPECT_EQ(table.close_if_idle_since(kKey, {100}).in_flight, 1U);
  table.give_back(kKey, {50});
  const auto early = table.close_if_idle_since(kKey, {49});
  EXPECT_FALSE(early.is_closed);
  EXPECT_EQ(early.last_used.ns, 50);
  EXPECT_TRUE(table.close_if_idle_since(kKey, {50}).is_closed);
  EXPECT_FALSE(table.try_take(kKey, 1));
}

TEST(SlotTable, SaysWhenTheLastSlotOfAClosedWordCameBack) {
  auto memory = SlotMemory::create();
  SlotTable table = memory->table();
  table.open(kKey);
  ASSERT_TRUE(table.try_take(kKey, 2));
  ASSERT_TRUE(table.try_take(kKey, 2));
  const auto closed = table.close(kKey);
  EXPECT_TRUE(closed.is_closed);
  EXPECT_EQ(closed.in_flight, 2U);
  EXPECT_FALSE(table.give_back(kKey, {1}).was_last_of_closed);
  EXPECT_TRUE(table.give_back(kKey, {2}).was_last_of_closed);
  EXPECT_FALSE(table.give_back(kKey, {3}).was_last_of_closed);
}

TEST(SlotTable, TwoProcessesShareOneLimit) {
  auto memory = SlotMemory::create();
  SlotTable first = memory->table(SlotSide::First);
  SlotTable second = memory->table(SlotSide::Second);
  first.open(kKey);
  ASSERT_TRUE(first.try_take(kKey, 3));
  ASSERT_TRUE(second.try_take(kKey, 3));
  ASSERT_TRUE(second.try_take(kKey, 3));
  EXPECT_FALSE(first.try_take(kKey, 3));
  EXPECT_EQ(first.read(7).in_flight, 3U);
  EXPECT_EQ(first.read(7).held_by(SlotSide::Second), 2U);
  EXPECT_EQ(second.close_if_idle_since(kKey, {100}).in_flight, 3U);
}

TEST(SlotTable, AProcessGivesBackOnlyWhatItTook) {
  auto memory = SlotMemory::create();
  SlotTable first = memory->table(SlotSide::First);
  SlotTable second = memory->table(SlotSide::Second);
  first.open(kKey);
  ASSERT_TRUE(first.try_take(kKey, 3));
  second.give_back(kKey, {5});
  EXPECT_EQ(first.read(7).in_flight, 1U);
  first.close(kKey);
  EXPECT_TRUE(first.give_back(kKey, {6}).was_last_of_closed);
}

TEST(SlotTable, ClearingASideLeavesWhatTheOtherHolds) {
  auto memory = SlotMemory::create();
  SlotTable first = memory->table(SlotSide::First);
  SlotTable second = memory->table(SlotSide::Second);
  first.open(kKey);
  ASSERT_TRUE(first.try_take(kKey, 4));
  ASSERT_TRUE(first.try_take(kKey, 4));
  ASSERT_TRUE(second.try_take(kKey, 4));
  second.clear(SlotSide::First);
  EXPECT_EQ(second.read(7).in_flight, 1U);
  EXPECT_EQ(second.read(7).generation, kKey.generation);
  EXPECT_FALSE(second.read(7).is_closed);
  second.clear(SlotSide::Second);
  EXPECT_EQ(second.read(7).in_flight, 0U);
}

TEST(SlotTable, IsSharedByEveryMappingOfItsDescriptor) {
  auto memory = SlotMemory::create();
  auto other = SlotMemory::map(Fd(::dup(memory->fd())));
  ASSERT_TRUE(other);
  memory->table().open(kKey);
  EXPECT_TRUE(other->table().try_take(kKey, 1));
  EXPECT_EQ(memory->table().read(7).in_flight, 1U);
}

TEST(SlotTable, NeverExceedsTheLimitUnderContention) {
  auto memory = SlotMemory::create();
  memory->table().open(kKey);
  std::atomic<int> running{0};
  std::atomic<bool> exceeded{false};
  std::vector<Thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back("take", [&] {
      SlotTable table = memory->table();
      for (int i = 0; i < 20'000; ++i) {
        if (!table.try_take(kKey, 2)) continue;
        if (running.fetch_add(1) + 1 > 2) exceeded = true;
        running.fetch_sub(1);
        table.give_back(kKey, {i});
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(memory->table().read(7).in_flight, 0U);
}

}  // namespace
}  // namespace kelvin::os
