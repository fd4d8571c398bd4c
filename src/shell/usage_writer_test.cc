#include "shell/usage_writer.h"

#include <gtest/gtest.h>

#include "shell/doubles_test.h"

namespace kelvin::shell {
namespace {

model::UsageBatch batch_of(std::uint64_t first_sequence, std::size_t rows) {
  model::UsageBatch batch;
  for (std::size_t i = 0; i < rows; ++i) {
    batch.rows.push_back({.replica = {1}, .sequence = first_sequence + i});
  }
  return batch;
}

TEST(UsageWriter, WritesInTheOrderGivenAndKeepsNothingBack) {
  FakeStore store;
  FakeClock clock;
  obs::Log log = obs::Log::silent();
  UsageWriter writer({}, store, clock, log);
  writer.append(batch_of(0, 2));
  writer.append(batch_of(2, 1));
  ASSERT_TRUE(writer.flush(10s));
  ASSERT_EQ(store.row_count(), 3u);
  for (std::uint64_t i = 0; i < 3; ++i) EXPECT_EQ(store.rows[i].sequence, i);
  EXPECT_EQ(store.offset_ns, 1'000) << "boot time is turned into wall time by the clock";
}

TEST(UsageWriter, TriesAgainUntilTheStoreTakesIt) {
  FakeStore store;
  store.failures_left = 3;
  FakeClock clock;
  obs::Log log = obs::Log::silent();
  UsageWriter writer({.retry_after = 1ms}, store, clock, log);
  writer.append(batch_of(0, 5));
  ASSERT_TRUE(writer.flush(10s));
  EXPECT_EQ(store.row_count(), 5u);
  EXPECT_EQ(writer.figures().failures, 3u);
  EXPECT_EQ(writer.figures().rows_given_up, 0u);
}

TEST(UsageWriter, KeepsTheLastWordAboutEachRollout) {
  FakeStore store;
  store.failures_left = 2;
  FakeClock clock;
  obs::Log log = obs::Log::silent();
  UsageWriter writer({.retry_after = 1ms}, store, clock, log);
  writer.keep({{1}, model::Rollout{.from = {10}, .to = {11}, .step = 0}});
  writer.keep({{2}, model::Rollout{.from = {20}, .to = {21}, .step = 0}});
  writer.append(batch_of(0, 5));
  writer.keep({{1}, model::Rollout{.from = {10}, .to = {11}, .step = 1}});
  ASSERT_TRUE(writer.flush(10s));
  EXPECT_EQ(store.row_count(), 5u);
  std::map<AppId, std::uint32_t> last;
  for (const ports::StoredRollout& one : store.kept) last[one.app] = one.rollout.step;
  EXPECT_EQ(last, (std::map<AppId, std::uint32_t>{{{1}, 1}, {{2}, 0}}));
}

TEST(UsageWriter, GivesUpTheOldestAtItsLimitAndCountsIt) {
  FakeStore store;
  store.failures_left = 1'000'000;
  FakeClock clock;
  obs::Log log = obs::Log::silent();
  UsageWriter writer({.rows_max = 10, .retry_after = 1h, .farewell_max = 0s}, store, clock, log);
  for (std::uint64_t i = 0; i < 5; ++i) writer.append(batch_of(i * 5, 5));
  const UsageWriter::Figures figures = writer.figures();
  EXPECT_LE(figures.rows_waiting, 10u);
  EXPECT_EQ(figures.rows_waiting + figures.rows_given_up, 25u);
}

}  // namespace
}  // namespace kelvin::shell
