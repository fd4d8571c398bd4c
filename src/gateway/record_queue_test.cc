// Tests of the way from the loops to a thread that writes.
#include "gateway/record_queue.h"

#include <gtest/gtest.h>

#include <map>

#include "model/ids.h"
#include "os/thread.h"

namespace kelvin::gateway {
namespace {

TEST(RecordQueue, WhatDoesNotFitIsCounted) {
  auto queue = RecordQueue::create(1, 3);
  ASSERT_TRUE(queue);
  const HeadNote head;
  for (std::uint64_t i = 1; i <= 5; ++i) (*queue)->push(0, {.id = {i}, .head = &head});
  EXPECT_EQ((*queue)->dropped(), 2u);
  std::vector<std::uint64_t> found;
  const auto keep = [&](const RequestRecord& record) { found.push_back(record.id.value); };
  EXPECT_EQ((*queue)->take(2, keep), 2u);
  EXPECT_EQ((*queue)->take(2, keep), 1u);
  EXPECT_EQ(found, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(RecordQueue, GivesAwayWhatIsLeftBeforeItEnds) {
  auto queue = RecordQueue::create(2, 8);
  ASSERT_TRUE(queue);
  const HeadNote head;
  (*queue)->push(1, {.id = {9}, .head = &head});
  (*queue)->end();
  (*queue)->rest(60s);  // over at once
  EXPECT_TRUE((*queue)->wait());
  EXPECT_EQ((*queue)->take(8, [](const RequestRecord&) {}), 1u);
  EXPECT_FALSE((*queue)->wait());
}

TEST(RecordQueue, NoRecordIsForgottenBetweenLoopsAndTheReader) {
  constexpr std::uint64_t kCount = 20'000;
  auto made = RecordQueue::create(2, 256);
  ASSERT_TRUE(made);
  RecordQueue& queue = **made;
  std::map<std::uint64_t, std::uint64_t> last;  // by loop
  std::uint64_t taken = 0;
  bool is_in_order = true;
  {
    os::Thread reader("reader", [&] {
      while (queue.wait()) {
        taken += queue.take(64, [&](const RequestRecord& record) {
          const std::uint64_t loop = record.id.value >> 32U;
          const std::uint64_t number = record.id.value & 0xffffffffU;
          is_in_order = is_in_order && number > last[loop];
          last[loop] = number;
        });
      }
    });
    const auto write = [&](std::uint32_t loop) {
      const HeadNote head;
      for (std::uint64_t i = 1; i <= kCount; ++i)
        queue.push(loop, {.id = {std::uint64_t{loop} << 32U | i}, .head = &head});
    };
    {
      os::Thread first("first", [&] { write(0); });
      os::Thread second("second", [&] { write(1); });
    }
    queue.end();
  }
  EXPECT_TRUE(is_in_order);
  EXPECT_EQ(taken + queue.dropped(), 2 * kCount);
}

}  // namespace
}  // namespace kelvin::gateway
